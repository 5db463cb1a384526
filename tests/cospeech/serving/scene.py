"""A server state whose models take no time, and a visitor without a network."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import cv2
import numpy as np

from cospeech.inference.speaker import Person, Speaker
from cospeech.media import read_picture
from cospeech.serving.gallery import Gallery
from cospeech.serving.limits import Limits
from cospeech.serving.portraits import Portrait
from cospeech.serving.queue import TalkQueue
from cospeech.serving.session import ServerState
from tests.cospeech.inference.small import models, somebody

LIMITS = replace(Limits(), voice_seconds=20, people=3, picture_bytes=200_000, picture_pixels=500_000)
ORIGIN = b"<x:xmpmeta>drawn by a model</x:xmpmeta>"


def png(picture: np.ndarray) -> bytes:
    return cv2.imencode(".png", picture[..., ::-1])[1].tobytes()


PICTURE = png(somebody().picture)


def find(picture: bytes) -> Person:
    """The same person in every picture; nobody in a black one."""
    if not read_picture(picture, "the picture", LIMITS.picture_pixels).any():
        raise ValueError("the picture: no face is found in it")
    return somebody()


def make_state(limits: Limits = LIMITS, talks: int = 2, find: Callable[[bytes], Person] = find) -> ServerState:
    offered = [Portrait("ann", PICTURE), Portrait("bob", PICTURE)]
    gallery, queue = Gallery(offered, find, limits), TalkQueue(talks, limits.waiting)
    return ServerState(Speaker(models()), gallery, queue, limits, ORIGIN, 4)


class FakeSocket:
    """What the server sees of a visitor. slow: waits so many seconds for every piece of the film to get through."""

    def __init__(self, slow: float = 0) -> None:
        self.slow, self.told, self.film = slow, list[dict[str, Any]](), list[bytes]()
        self._say, self._said = anyio.create_memory_object_stream[dict[str, Any]](1000)
        self.ready, self.over = anyio.Event(), anyio.Event()

    def say(self, **message: Any) -> None:
        self._say.send_nowait({"type": "websocket.receive", **message})

    def leave(self) -> None:
        self._say.send_nowait({"type": "websocket.disconnect"})

    async def accept(self) -> None:
        pass

    async def receive(self) -> dict[str, Any]:
        return await self._said.receive()

    async def send_json(self, message: dict[str, Any]) -> None:
        self.told.append(message)
        if message["kind"] == "ready":
            self.ready.set()

    async def send_bytes(self, piece: bytes) -> None:
        await anyio.sleep(self.slow)
        self.film.append(piece)

    async def close(self, code: int) -> None:
        assert code == (1008 if self.told[-1]["kind"] == "error" else 1000)
        self.over.set()
