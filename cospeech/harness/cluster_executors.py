"""Run clip-parallel work on an existing Dask or Ray cluster, as a `concurrent.futures.Executor` like the local pool.

Workers need this project's environment and the project folder at the same path (a shared file system): a job names
files, and its worker writes the result to the clip store.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future
from types import TracebackType
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from cospeech.harness.process_pool import process_pool
from cospeech.utils.extras import require_extra

if TYPE_CHECKING:
    import ray

P = ParamSpec("P")
Result = TypeVar("Result")
CONNECT_SECONDS = 20.0
DASK, RAY = ("tcp://", "tls://", "ucx://", "ws://", "wss://"), ("ray://", "ray:")


def open_executor(cluster: str | None, workers: int) -> Executor:
    """Open a pool of local processes, or connect to the cluster at this address.

    Args:
        cluster: tcp://host:8786 (a Dask scheduler), ray://host:10001 (a Ray cluster), ray:auto (the Ray cluster that
            this machine belongs to), or None.
        workers: number of local processes; 0: one per core. Not used on a cluster.

    Raises:
        ValueError: the address is of another kind, the package is not installed, or no cluster answers.
    """
    if cluster is None:
        return process_pool(workers)
    if cluster.startswith(DASK):
        return _DaskExecutor(cluster)
    if cluster.startswith(RAY):
        return _RayExecutor(cluster)
    raise ValueError(
        f"compute.cluster is {cluster!r}; it must be a Dask scheduler (tcp://host:8786) or a Ray cluster "
        "(ray://host:10001, ray:auto)"
    )


class _ClusterExecutor(Executor):
    """Wait for submitted tasks on success, and cancel them on failure or interruption."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self.shutdown(wait=kind is None or issubclass(kind, Exception), cancel_futures=kind is not None)
        return None


class _DaskExecutor(_ClusterExecutor):
    """Submit tasks to a Dask scheduler.

    Dask moves a task whose worker died to another worker, up to `allowed-failures` times (3).
    """

    def __init__(self, address: str) -> None:
        require_extra("dask", f"compute.cluster: {address}", "distributed")
        from distributed import Client

        try:
            self._client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except OSError as error:
            raise ValueError(f"compute.cluster: no Dask scheduler answers at {address} ({error})") from error
        self._inner = self._client.get_executor(pure=False)

    def submit(self, function: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs) -> Future[Result]:
        future: Future[Result] = self._inner.submit(function, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._inner.shutdown(wait=wait and not cancel_futures)
        self._client.close()


class _RayExecutor(_ClusterExecutor):
    """Submit tasks to a Ray cluster. A task whose worker died runs again, up to RETRIES times."""

    RETRIES = 3

    def __init__(self, address: str) -> None:
        require_extra("ray", f"compute.cluster: {address}", "ray")
        import ray

        self._ray = ray
        try:
            self._context = ray.init(
                address="auto" if address == "ray:auto" else address,
                ignore_reinit_error=True,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except (ConnectionError, TimeoutError, RuntimeError) as error:
            raise ValueError(f"compute.cluster: no Ray cluster answers at {address} ({error})") from error
        self._remote = ray.remote(max_retries=self.RETRIES, num_cpus=1)(_result_or_error)
        self._pending: dict[ray.ObjectRef, Future] = {}
        self._lock = threading.Lock()

    def submit(self, function: Callable[P, Result], /, *args: P.args, **kwargs: P.kwargs) -> Future[Result]:
        outer: Future[Result] = Future()
        outer.set_running_or_notify_cancel()
        reference = self._remote.remote(function, args, kwargs)
        with self._lock:
            self._pending[reference] = outer
        reference.future().add_done_callback(lambda inner: self._resolve(reference, inner, outer))
        return outer

    def _resolve(self, reference: "ray.ObjectRef", inner: Future, outer: Future) -> None:
        with self._lock:
            self._pending.pop(reference, None)
        ray_error = inner.exception()
        if ray_error is not None:
            outer.set_exception(ray_error)
            return
        result, error = inner.result()
        if error is None:
            outer.set_result(result)
        else:
            outer.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._lock:
            pending = dict(self._pending)
        for reference, future in pending.items():
            if cancel_futures:
                self._ray.cancel(reference, force=True)
            elif wait:
                future.exception()


def _result_or_error(
    function: Callable[..., Result], args: Iterable[object], kwargs: Mapping[str, object]
) -> tuple[Result | None, Exception | None]:
    """Call `function` on the worker and return its exception, which Ray would wrap if it were raised there."""
    try:
        return function(*args, **kwargs), None
    except Exception as error:  # noqa: BLE001
        return None, error  # raised again where the result is read
