"""So many talk at the same time; the others wait in line and are told their place."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio


@dataclass(eq=False)
class _Waiting:
    turn: anyio.Event = field(default_factory=anyio.Event)
    moved: anyio.Event = field(default_factory=anyio.Event)


class Seats:
    """First come, first served. For one event loop."""

    def __init__(self, count: int, waiting: int) -> None:
        if count < 1:
            raise ValueError(f"{count} seats: at least 1 visitor must be able to talk")
        self.count, self._limit = count, waiting
        self._free, self._line = count, deque[_Waiting]()

    @property
    def waiting(self) -> int:
        return len(self._line)

    @property
    def taken(self) -> int:
        return self.count - self._free

    @asynccontextmanager
    async def take(self, tell: Callable[[int], Awaitable[None]]) -> AsyncIterator[None]:
        """Holds a seat. tell: given the place in line, 1 is next, at once and whenever it changes.

        Raises:
            ValueError: the line is full.
        """
        await self._sit(tell)
        try:
            yield
        finally:
            self._stand_up()

    async def _sit(self, tell: Callable[[int], Awaitable[None]]) -> None:
        if self._free and not self._line:
            self._free -= 1
            return
        if len(self._line) >= self._limit:
            raise ValueError(
                f"{self.taken} visitors are talking and {self.waiting} are waiting, which is as many as this server "
                "takes; please come back a little later"
            )
        one = _Waiting()
        self._line.append(one)
        try:
            while not one.turn.is_set():
                await tell(self._line.index(one) + 1)
                await one.moved.wait()
                one.moved = anyio.Event()
        except BaseException:
            if one.turn.is_set():  # called just when giving up: the next one's turn
                self._stand_up()
            else:
                self._leave(one)
            raise

    def _leave(self, one: _Waiting) -> None:
        place = self._line.index(one)
        self._line.remove(one)
        self._move_up(place)

    def _stand_up(self) -> None:
        if not self._line:
            self._free += 1
            return
        following = self._line.popleft()
        following.turn.set()
        following.moved.set()
        self._move_up(0)

    def _move_up(self, start: int) -> None:
        for one in list(self._line)[start:]:
            one.moved.set()
