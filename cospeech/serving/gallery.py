"""Pictures of the people who talk: those on offer, and those that visitors bring, which are kept for a while."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Generic, TypeVar

import anyio
import anyio.to_thread

from cospeech.serving.limits import Limits
from cospeech.serving.portraits import Offered

Person = TypeVar("Person")


@dataclass(frozen=True)
class Kept(Generic[Person]):
    """person: found in the picture; None: not looked for yet. until: seconds of the clock, None: for ever."""

    name: str
    picture: bytes
    person: Person | None
    until: float | None


class Gallery(Generic[Person]):
    """Finding a person in a picture takes a core for a second: it is done for one picture at a time."""

    def __init__(
        self,
        offered: Sequence[Offered],
        find: Callable[[bytes], Person],
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """find: bytes of a picture file -> the person in it, or ValueError saying what is wrong with it."""
        self._offered = {str(n): Kept[Person](each.name, each.picture, None, None) for n, each in enumerate(offered)}
        self._brought: OrderedDict[str, Kept[Person]] = OrderedDict()
        self._find, self._limits, self._clock = find, limits, clock
        self._one = anyio.CapacityLimiter(1)

    def offered(self) -> dict[str, str]:
        """Names by id."""
        return {key: kept.name for key, kept in self._offered.items()}

    def picture(self, key: str) -> bytes | None:
        """Of somebody on offer."""
        kept = self._offered.get(key)
        return kept.picture if kept else None

    async def add(self, picture: bytes) -> str:
        """A visitor's picture; gives the id, which nobody can guess.

        Raises:
            ValueError: too large a picture, or whatever is wrong with it.
        """
        self._check(picture)
        person = await self._found(picture)
        self._drop_old()
        if len(self._brought) >= self._limits.people:
            self._brought.popitem(last=False)
        key = secrets.token_urlsafe(16)
        self._brought[key] = Kept("your picture", b"", person, self._clock() + self._limits.people_seconds)
        return key

    async def person(self, key: str) -> Person:
        """
        Raises:
            ValueError: no such person, or none was found in the picture.
        """
        self._drop_old()
        kept = self._offered.get(key) or self._brought.get(key)
        if kept is None:
            minutes = self._limits.people_seconds / 60
            raise ValueError(f"that picture is not here any more (it is kept for {minutes:g} minutes): choose it again")
        if kept.person is not None:
            return kept.person
        person = await self._found(kept.picture)
        self._offered[key] = Kept(kept.name, kept.picture, person, None)
        return person

    async def _found(self, picture: bytes) -> Person:
        return await anyio.to_thread.run_sync(self._find, picture, limiter=self._one)

    def _check(self, picture: bytes) -> None:
        from PIL import Image, UnidentifiedImageError

        try:
            width, height = Image.open(BytesIO(picture)).size  # reads the header only
        except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
            raise ValueError("the file is not a picture that can be read; PNG, JPEG and WebP can") from error
        if width * height > self._limits.picture_pixels:
            raise ValueError(
                f"the picture has {width} x {height} pixels, {width * height / 1e6:.3g} million; at most "
                f"{self._limits.picture_pixels / 1e6:g} million can be taken"
            )

    def _drop_old(self) -> None:
        now = self._clock()
        for key in [key for key, kept in self._brought.items() if kept.until is not None and kept.until < now]:
            del self._brought[key]
