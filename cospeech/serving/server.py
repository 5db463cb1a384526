"""The process behind the page."""

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from cospeech.inference.errors import InputError
from cospeech.inference.speaker import Person, Speaker, keep_freed_memory
from cospeech.serving.app import make_app
from cospeech.serving.auth import Token, check_token
from cospeech.serving.gallery import Gallery
from cospeech.serving.limits import Limits
from cospeech.serving.portraits import Offered
from cospeech.serving.queue import Seats
from cospeech.serving.session import Studio

if TYPE_CHECKING:
    import uvicorn


_CHUNK = 4
"""Latent frames that a live talk draws at once, unless its export draws fewer: what is drawn sooner is seen sooner."""


@dataclass(frozen=True)
class Address:
    """certificate, key: PEM files, for https; None: http."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}"


def serve(
    speaker: Speaker,
    people: Sequence[Offered],
    address: Address,
    token: str | None,
    talks: int,
    chunk: int | None,
    limits: Limits,
    origin: bytes,
    tell: Callable[[str], None],
) -> None:
    """Answers until it is interrupted. talks: at the same time. chunk: latent frames drawn at once; None: 4, or as the
    export draws if that is fewer. origin: what the films say of themselves, XMP. tell: is given the address once it is
    open.

    Raises:
        InputError: the address cannot be had, needs a token, the export cannot speak, or a chunk has no frames.
    """
    import torch

    check_token(address.host, token)
    if speaker.models.motion is None or speaker.settings.stream is None:
        raise InputError(
            "this export cannot talk live: it needs a motion model, and in params.yaml "
            "attention.stream, with attention.mask [global, local]"
        )
    chunk = min(_CHUNK, speaker.settings.stream["chunk"]) if chunk is None else chunk
    if chunk < 1:
        raise InputError(f"--chunk is {chunk}, but a chunk has 1 frame or more")
    torch.set_num_threads(1)  # a talk has threads of its own
    keep_freed_memory()
    for someone in people[:1]:
        warm_up(speaker, find_person_in(someone.picture), chunk)
    gallery, seats = Gallery(people, find_person_in, limits), Seats(talks, limits.waiting)
    studio = Studio(speaker, gallery, seats, limits, origin, chunk)
    with open_socket(address) as listening, suppress(KeyboardInterrupt):
        opened = replace(address, port=listening.getsockname()[1])
        tell(f"{opened}  ({talks} talk at the same time, {limits.waiting} may wait; Ctrl+C ends it)")
        make_server(studio, Token(token), address).run(sockets=[listening])


def make_server(studio: Studio, token: Token, address: Address) -> "uvicorn.Server":
    import uvicorn

    limits = studio.limits
    config = uvicorn.Config(
        make_app(studio, token),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws_max_size=limits.message_bytes,
        ws_ping_interval=None,  # a slow visitor's answers stand behind the film; the page gives signs of its own
        ws_per_message_deflate=False,
        limit_concurrency=studio.seats.count + limits.waiting + _CONNECTIONS,
        timeout_graceful_shutdown=3,
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
    )
    return uvicorn.Server(config)


def warm_up(speaker: Speaker, person: Person, chunk: int) -> None:
    """A second of silence, so that the first visitor does not wait for what is done only once."""
    with speaker.start(person, chunk=chunk, first=1) as session:
        session.push(np.zeros(speaker.settings.sample_rate, np.float32))
        session.finish()


def open_socket(address: Address) -> socket.socket:
    """
    Raises:
        InputError: the port is taken, or no such address here.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family)
    except OSError as error:
        raise InputError(f"{address} cannot be opened ({error.strerror}); another --port, or --host?") from error


def find_person_in(picture: bytes) -> Person:
    """
    Raises:
        ValueError: not a picture, or not of one person who can talk.
    """
    from cospeech.inference.portrait import find_person, read_picture
    from cospeech.pose.mediapipe import MediaPipeDetector, MediaPipeOptions

    with TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        path.write_bytes(picture)
        try:
            pixels = read_picture(path)
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), _NAME)) from error
    detector = MediaPipeDetector(MediaPipeOptions())
    try:
        return find_person(pixels, detector, _NAME)
    finally:
        detector.close()


_CONNECTIONS = 64
"""For pages and pictures, beside those who talk and wait."""
_NAME = "the picture"
"""In messages."""
