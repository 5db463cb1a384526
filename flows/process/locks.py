"""One process at a time for each stage: a lock that the operating system drops when its holder dies."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path


class BusyError(ValueError):
    """Another process holds the lock; the message says which and since when."""


@contextmanager
def exclusive(folder: Path, name: str, say: Callable[[str], object] = print, wait: bool = True) -> Iterator[None]:
    """Hold the lock `name`; wait for another holder, after one line that says who it is.

    Raises:
        BusyError: another holds it, and `wait` is false.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = f"{name}: already being run by {stream.read().strip() or 'another process'}"
            if not wait:
                raise BusyError(holder) from None
            say(f"{holder}; waiting for it to end")
            fcntl.flock(stream, fcntl.LOCK_EX)
        stream.truncate(0)
        stream.write(f"process {os.getpid()} since {datetime.now():%H:%M:%S}")
        stream.flush()
        try:
            yield
        finally:
            stream.truncate(0)
