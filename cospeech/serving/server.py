"""Run the server of the live page."""

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from cospeech.inference.errors import InputError
from cospeech.inference.speaker import Person, Speaker, keep_freed_memory
from cospeech.serving.app import make_app
from cospeech.serving.auth import Token, check_token
from cospeech.serving.connections import ConnectionLimiter, HttpConnection, WebSocketConnection
from cospeech.serving.gallery import Gallery
from cospeech.serving.limits import Limits
from cospeech.serving.picture_reader import NAME, read_apart
from cospeech.serving.portraits import Portrait
from cospeech.serving.queue import TalkQueue
from cospeech.serving.session import ServerState

if TYPE_CHECKING:
    import uvicorn


_CHUNK = 4
"""Default number of latent frames generated at once; fewer lowers the delay."""


@dataclass(frozen=True)
class Address:
    """Where the server listens.

    certificate, key: PEM files for https; None: http. proxy: IP address of a reverse proxy before it.
    """

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    proxy: str | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}"


def serve(
    speaker: Speaker,
    people: Sequence[Portrait],
    address: Address,
    token: str | None,
    talks: int,
    chunk: int | None,
    limits: Limits,
    origin: bytes,
    tell: Callable[[str], None],
) -> None:
    """Serve the live page until interrupted.

    Args:
        people: the portraits that visitors choose from.
        token: secret that visitors must enter; None: none.
        talks: number of simultaneous talks.
        chunk: latent frames generated at once; None: 4, or the export's own number if that is smaller.
        origin: XMP packet that states how the videos were made.
        tell: is called with a line that has the address, once the server is ready.

    Raises:
        InputError: the address cannot be opened or needs a token, the export cannot talk live, or `chunk` is below 1.
    """
    import torch

    check_token(address.host, token)
    if speaker.models.motion is None or speaker.settings.stream is None:
        raise InputError(
            "this export cannot talk live: it needs a motion model, and must be made with attention.stream and "
            "attention.mask [global, local] in params.yaml"
        )
    chunk = min(_CHUNK, speaker.settings.stream.chunk) if chunk is None else chunk
    if chunk < 1:
        raise InputError(f"--chunk is {chunk}; it must be at least 1")
    torch.set_num_threads(1)  # a talk has its own threads
    keep_freed_memory()
    find = partial(find_person_in, limits=limits)
    for someone in people[:1]:
        warm_up(speaker, find(someone.picture), chunk)
    gallery, queue = Gallery(people, find, limits), TalkQueue(talks, limits.waiting)
    state = ServerState(speaker, gallery, queue, limits, origin, chunk)
    with open_socket(address) as listening, suppress(KeyboardInterrupt):
        opened = replace(address, port=listening.getsockname()[1])
        tell(f"{opened}  ({talks} simultaneous talks, {limits.waiting} may wait; stop with Ctrl+C)")
        make_server(state, Token(token), address).run(sockets=[listening])


def make_server(state: ServerState, token: Token, address: Address) -> "uvicorn.Server":
    """Configure uvicorn for the application."""
    import uvicorn

    limits, limiter = state.limits, ConnectionLimiter(state.limits, address.proxy)
    config = uvicorn.Config(
        make_app(state, token, limiter),
        http=cast("type[HttpConnection]", partial(HttpConnection, limiter=limiter, seconds=limits.request_seconds)),
        ws=cast("type[WebSocketConnection]", partial(WebSocketConnection, limiter=limiter)),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws_max_size=limits.message_bytes,
        ws_ping_interval=None,  # a slow visitor's pongs wait behind the stream; the page sends its own messages
        ws_per_message_deflate=False,
        limit_concurrency=limits.unadmitted + state.queue.count + limits.waiting + _CONNECTIONS,
        timeout_graceful_shutdown=3,
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
    )
    return uvicorn.Server(config)


def warm_up(speaker: Speaker, person: Person, chunk: int) -> None:
    """Generate one second of silence, so that the first visitor does not wait for one-time initialisation."""
    with speaker.start(person, chunk=chunk, first=1) as session:
        session.push(np.zeros(speaker.settings.sample_rate, np.float32))
        session.finish()


def open_socket(address: Address) -> socket.socket:
    """Open a listening socket.

    Raises:
        InputError: the port is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family)
    except OSError as error:
        raise InputError(f"{address} cannot be opened ({error.strerror}); try another --port or --host") from error


def find_person_in(picture: bytes, limits: Limits) -> Person:
    """Find the person in a picture file.

    Raises:
        ValueError: it is not a picture, or does not show one person who can talk.
    """
    from cospeech.inference.portrait import find_person
    from cospeech.pose.mediapipe import MediaPipeDetector, MediaPipeOptions

    pixels = read_apart(picture, limits)
    detector = MediaPipeDetector(MediaPipeOptions())
    try:
        return find_person(pixels, detector, NAME)
    finally:
        detector.close()


_CONNECTIONS = 64
"""Connections for pages and pictures, in addition to talks and the queue."""
