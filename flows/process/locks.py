"""Locks between processes, released by the operating system when their holder dies."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout


class BusyError(ValueError):
    """Another process holds the lock; the message says which, and since when."""


@contextmanager
def exclusive(folder: Path, name: str, say: Callable[[str], object] = print, wait: bool = True) -> Iterator[None]:
    """Hold the lock `name`; if another process holds it, say which and wait for it.

    Raises:
        BusyError: another process holds it, and `wait` is false.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.lock"
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        holder = f"{name}: already being run by {path.read_text(encoding='utf-8') or 'another process'}"
        if not wait:
            raise BusyError(holder) from None
        say(f"{holder}; waiting for it to end")
        lock.acquire()
    try:
        path.write_text(f"process {os.getpid()} since {datetime.now():%H:%M:%S}", encoding="utf-8")
        yield
    finally:
        lock.release()
