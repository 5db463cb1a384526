"""How long each part of a talk takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Lap:
    """One part of the work on some frames; what comes after a space tells pieces of a part apart. wall: seconds.
    processor: seconds of the thread that did it."""

    part: str
    frames: int
    wall: float
    processor: float


@dataclass
class Watch:
    """Keeps laps if it is told to; of any thread. One that keeps grows with the talk: it is for measuring."""

    keeps: bool = True
    laps: list[Lap] = field(default_factory=list)

    @contextmanager
    def part(self, name: str, frames: int) -> Iterator[None]:
        if not self.keeps:
            yield
            return
        wall, processor = time.perf_counter(), time.thread_time()
        yield
        self.laps.append(Lap(name, frames, time.perf_counter() - wall, time.thread_time() - processor))
