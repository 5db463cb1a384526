"""One process at a time for each stage: a lock that the operating system drops when its holder dies."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path


@contextmanager
def exclusive(folder: Path, name: str, say: Callable[[str], object] = print) -> Iterator[None]:
    """Hold the lock `name`; wait for another holder, after one line that says who it is."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            say(f"{name}: already being run by {stream.read().strip() or 'another process'}; waiting for it to end")
            fcntl.flock(stream, fcntl.LOCK_EX)
        stream.truncate(0)
        stream.write(f"process {os.getpid()} since {datetime.now():%H:%M:%S}")
        stream.flush()
        try:
            yield
        finally:
            stream.truncate(0)
