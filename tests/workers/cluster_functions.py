"""Functions that a test sends to the workers of a cluster: they must be importable there."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cospeech.harness.clip_cache import ClipStore


@dataclass(frozen=True)
class SmallJob:
    """deadly: the first worker that takes it dies."""

    clip: str
    folder: Path
    deadly: bool
    store: ClipStore | None = None

    @property
    def key(self) -> str:
        assert self.store is not None
        return self.store.key(self.clip)


def square(item: int) -> int:
    if item < 0:
        raise ValueError(f"{item} has no root")
    return item * item


def slow_square(job: SmallJob) -> int:
    time.sleep(0.1)
    if job.deadly and not (job.folder / "died").exists():
        (job.folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return int(job.clip) ** 2


def small_result(job: SmallJob) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "r.txt"
        path.write_text(str(slow_square(job)))
        assert job.store is not None
        job.store.put(job.key, {"r.txt": path})
