"""Keep the people that can talk: the server's own portraits, and pictures that visitors upload, for a limited time."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio
import anyio.to_thread

from cospeech.serving.limits import Limits
from cospeech.serving.portraits import Portrait

Person = TypeVar("Person")


@dataclass(frozen=True)
class _Entry(Generic[Person]):
    """person: as found in the picture; None: not searched yet. until: expiry, seconds of the clock; None: never."""

    name: str
    picture: bytes
    person: Person | None
    until: float | None


class Gallery(Generic[Person]):
    """Finds people in pictures, one picture at a time: each takes a core for a second."""

    def __init__(
        self,
        offered: Sequence[Portrait],
        find: Callable[[bytes], Person],
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """find: bytes of a picture file -> the person in it; raises ValueError if there is none."""
        self._offered = {str(n): _Entry[Person](each.name, each.picture, None, None) for n, each in enumerate(offered)}
        self._brought: OrderedDict[str, _Entry[Person]] = OrderedDict()
        self._find, self._limits, self._clock = find, limits, clock
        self._one = anyio.CapacityLimiter(1)

    def names(self) -> dict[str, str]:
        """Return id -> name of the server's own portraits."""
        return {key: kept.name for key, kept in self._offered.items()}

    def picture(self, key: str) -> bytes | None:
        """Return the picture file of one of the server's own portraits, or None."""
        kept = self._offered.get(key)
        return kept.picture if kept else None

    async def add(self, picture: bytes) -> str:
        """Add a visitor's picture; return its id, which cannot be guessed.

        Raises:
            ValueError: the picture cannot be read, or shows no person who can talk.
        """
        person = await self._found(picture)
        self._drop_old()
        if len(self._brought) >= self._limits.people:
            self._brought.popitem(last=False)
        key = secrets.token_urlsafe(16)
        self._brought[key] = _Entry("your picture", b"", person, self._clock() + self._limits.people_seconds)
        return key

    async def person(self, key: str) -> Person:
        """Return the person with this id.

        Raises:
            ValueError: there is no such id, or no person in the picture.
        """
        self._drop_old()
        kept = self._offered.get(key) or self._brought.get(key)
        if kept is None:
            minutes = self._limits.people_seconds / 60
            raise ValueError(f"that picture has expired (pictures are kept for {minutes:g} minutes); choose it again")
        if kept.person is not None:
            return kept.person
        person = await self._found(kept.picture)
        self._offered[key] = _Entry(kept.name, kept.picture, person, None)
        return person

    async def _found(self, picture: bytes) -> Person:
        return await anyio.to_thread.run_sync(self._find, picture, limiter=self._one)

    def _drop_old(self) -> None:
        now = self._clock()
        for key in [key for key, kept in self._brought.items() if kept.until is not None and kept.until < now]:
            del self._brought[key]
