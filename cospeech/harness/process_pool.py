"""Work on clips in parallel: a local process pool, and one task per clip on any `concurrent.futures.Executor`."""

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing.connection import wait
from types import TracebackType
from typing import TypeVar

from cospeech.harness.progress import Progress
from cospeech.utils.allocator import keep_freed_memory

Item = TypeVar("Item")
Result = TypeVar("Result")

THREAD_LIMITS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


class PoolBrokenError(RuntimeError):
    """A worker process died and broke the pool; the message names the unfinished clips."""


@dataclass(frozen=True)
class ClipFailure:
    """The result that `map_clips` yields for a clip whose function raised.

    reason: one line, type and message. details: the traceback, including the worker's part.
    """

    clip: str
    reason: str
    details: str


def available_cores() -> int:
    """Return the number of cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def process_pool(workers: int) -> Executor:
    """Open a pool of `workers` spawned processes with one thread each; 0: one per core.

    A process lives as long as the pool and keeps what its functions cache, such as loaded models.
    """
    if workers < 0:
        raise ValueError(f"compute.workers is {workers}; it must be 0 (one per core) or more")
    return _Pool(
        workers or available_cores(), mp_context=multiprocessing.get_context("spawn"), initializer=_prepare_worker
    )


class _Pool(ProcessPoolExecutor):
    """Wait for the workers on success and failure, but kill them when this process is interrupted."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if kind is not None and not issubclass(kind, Exception):
            for process in list((self._processes or {}).values()):
                process.kill()
        return super().__exit__(kind, error, trace)


def map_clips(
    function: Callable[[Item], Result], items: Iterable[Item], executor: Executor, progress_bar: Progress
) -> Iterator[tuple[Item, Result | ClipFailure]]:
    """Run `function` on every item, one task each; yield `(item, result)` in order of completion.

    An item that fails yields a `ClipFailure`; the others continue. Leaving the loop early cancels tasks that have not
    started.

    Args:
        function: picklable, so defined at the top level of a module.
        items: clip ids, or objects with an attribute `clip`.

    Raises:
        PoolBrokenError: a worker process died (out of memory, or killed).
    """
    pending: dict[Future[Result], Item] = {executor.submit(function, item): item for item in items}
    try:
        for future in as_completed(list(pending)):
            item = pending[future]
            result = _outcome(future, item, pending.values())
            del pending[future]  # as_completed drops its own reference too, so results are freed
            progress_bar.update(1)
            yield item, result
    finally:
        for future in pending:
            future.cancel()


def clip_name(item: object) -> str:
    """Return the clip id of an item of `map_clips`."""
    return str(getattr(item, "clip", item))


def _outcome(future: "Future[Result]", item: object, unfinished: Iterable[object]) -> Result | ClipFailure:
    try:
        return future.result()
    except BrokenExecutor as error:
        names = [clip_name(each) for each in unfinished]
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        raise PoolBrokenError(
            f"a worker process died (out of memory, or killed); unfinished: {shown}. Finished clips are kept: run "
            "again, with a smaller compute.workers if memory is short"
        ) from error
    except Exception as error:  # noqa: BLE001 - any error of the clip becomes its ClipFailure
        message = str(error).strip() or "no message"
        return ClipFailure(
            clip_name(item), f"{type(error).__name__}: {message}", "".join(traceback.format_exception(error))
        )


def _prepare_worker() -> None:
    """Set up a worker before it imports numeric libraries: one thread each, no notices, exit with the parent."""
    for name in THREAD_LIMITS:
        os.environ[name] = "1"
    os.environ["GLOG_minloglevel"] = "2"  # noqa: SIM112 - mediapipe, TensorFlow Lite: errors only
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C and ends the pool
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with, args=(parent.sentinel,), daemon=True).start()


def _exit_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
