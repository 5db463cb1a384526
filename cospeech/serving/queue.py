"""Limit the number of simultaneous talks; further visitors wait in line and are told their place."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio


@dataclass(eq=False)
class _Waiting:
    turn: anyio.Event = field(default_factory=anyio.Event)
    moved: anyio.Event = field(default_factory=anyio.Event)


class TalkQueue:
    """A first-in, first-out queue for the slots of simultaneous talks. For one event loop."""

    def __init__(self, count: int, waiting: int) -> None:
        """count: number of slots. waiting: maximum length of the line."""
        if count < 1:
            raise ValueError(f"{count} simultaneous talks; at least 1 must be possible")
        self.count, self._limit = count, waiting
        self._free, self._line = count, deque[_Waiting]()

    @property
    def waiting(self) -> int:
        """Number of visitors in line."""
        return len(self._line)

    @property
    def active(self) -> int:
        """Number of slots in use."""
        return self.count - self._free

    @asynccontextmanager
    async def slot(self, tell: Callable[[int], Awaitable[None]]) -> AsyncIterator[None]:
        """Wait for a slot and hold it while the context is open.

        Args:
            tell: is called with the place in line (1 is next), at once and whenever it changes.

        Raises:
            ValueError: the line is full.
        """
        await self._acquire(tell)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, tell: Callable[[int], Awaitable[None]]) -> None:
        if self._free and not self._line:
            self._free -= 1
            return
        if len(self._line) >= self._limit:
            raise ValueError(
                f"the server is full: {self.active} visitors are talking and {self.waiting} are waiting; please come "
                "back later"
            )
        one = _Waiting()
        self._line.append(one)
        try:
            while not one.turn.is_set():
                await tell(self._line.index(one) + 1)
                await one.moved.wait()
                one.moved = anyio.Event()
        except BaseException:
            if one.turn.is_set():  # got the slot just when giving up: pass it on
                self._release()
            else:
                self._leave(one)
            raise

    def _leave(self, one: _Waiting) -> None:
        place = self._line.index(one)
        self._line.remove(one)
        self._move_up(place)

    def _release(self) -> None:
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
