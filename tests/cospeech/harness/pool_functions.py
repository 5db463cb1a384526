"""Functions that a test sends to other processes: they must be importable there."""

import os
import signal
import threading
from pathlib import Path


def square(item: int) -> int:
    if item < 0:
        raise ValueError(f"{item} has no root")
    return item * item


def process_id(_: int) -> int:
    return os.getpid()


def limits(_: int) -> tuple[str | None, str | None]:
    return os.environ.get("OMP_NUM_THREADS"), os.environ.get("OPENCV_FOR_THREADS_NUM")


def die_at_three(item: int) -> int:
    if item == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait(0.05)
    return item


def note_and_wait(folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    threading.Event().wait(600)
