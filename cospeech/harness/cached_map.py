"""Map a function over clips, taking results from the clip store where it has them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from cospeech.harness.clip_cache import ClipStore
from cospeech.harness.context import Context
from cospeech.harness.process_pool import ClipFailure, map_clips


class StoredJob(Protocol):
    """A picklable description of one clip's work and of where its result is stored."""

    @property
    def clip(self) -> str: ...
    @property
    def store(self) -> ClipStore: ...
    @property
    def key(self) -> str: ...


Job = TypeVar("Job", bound=StoredJob)


def cached_map(
    jobs: Sequence[Job],
    function: Callable[[Job], object],
    targets: Callable[[Job], Mapping[str, Path]],
    context: Context,
    label: str,
) -> dict[str, bool]:
    """Copy the result of every job to its targets; run the jobs whose result the store lacks.

    Args:
        function: puts a job's result into the store; runs in the context's executor.
        targets: stored name -> path, for each job.
        label: of the progress bar and of errors.

    Returns:
        clip -> whether its result came from the store.

    Raises:
        ValueError: some clips failed; the message names each. The results of the others are kept.
    """
    reused = {job.clip: job.store.fetch(job.key, targets(job)) for job in jobs}
    missing = [job for job in jobs if not reused[job.clip]]
    if missing:
        _run(missing, function, targets, context, label)
    if jobs:
        jobs[0].store.record(reused)
    return reused


def _run(
    jobs: Sequence[Job],
    function: Callable[[Job], object],
    targets: Callable[[Job], Mapping[str, Path]],
    context: Context,
    label: str,
) -> None:
    failures: list[ClipFailure] = []
    with context.progress(label, len(jobs)) as bar, context.executor() as executor:
        for job, result in map_clips(function, jobs, executor, bar):
            if isinstance(result, ClipFailure):
                failures.append(result)
            elif not job.store.fetch(job.key, targets(job)):
                raise RuntimeError(f"clip {job.clip}: its result is missing from {job.store.root} after the job")
    if failures:
        lines = "\n".join(f"  {failure.clip}: {failure.reason}" for failure in failures)
        raise ValueError(f"{label}: {len(failures)} of {len(jobs)} clips failed; the others are kept:\n{lines}")
