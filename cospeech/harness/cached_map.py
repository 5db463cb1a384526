"""Per-clip results out of the clip store, and into it where they are not there yet."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from cospeech.harness.clip_cache import ClipStore
from cospeech.harness.context import Context
from cospeech.harness.process_pool import ClipFailure, map_clips


class StoredJob(Protocol):
    """A clip's work: a picklable record that says where its result is kept."""

    @property
    def clip(self) -> str: ...
    @property
    def store(self) -> ClipStore: ...
    @property
    def key(self) -> str: ...


Job = TypeVar("Job", bound=StoredJob)


def extract_clips(
    jobs: Sequence[Job],
    function: Callable[[Job], Any],
    targets: Callable[[Job], Mapping[str, Path]],
    context: Context,
    label: str,
) -> dict[str, bool]:
    """Bring the result of every job to its `targets` (stored name to path); clip -> whether it was reused.

    `function` puts a job's result into the store; it runs in the context's executor, for those that the store lacks.

    Raises:
        ValueError: some clips failed; the message names each, the others are kept.
    """
    reused = {job.clip: job.store.fetch(job.key, targets(job)) for job in jobs}
    missing = [job for job in jobs if not reused[job.clip]]
    if missing:
        _extract(missing, function, targets, context, label)
    if jobs:
        jobs[0].store.record(reused)
    return reused


def _extract(
    jobs: Sequence[Job],
    function: Callable[[Job], Any],
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
                raise RuntimeError(f"clip {job.clip}: its result vanished from {job.store.root}")
    if failures:
        lines = "\n".join(f"  {failure.clip}: {failure.reason}" for failure in failures)
        raise ValueError(f"{label}: {len(failures)} of {len(jobs)} clips failed (the others are kept):\n{lines}")
