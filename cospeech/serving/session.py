"""One visitor on the websocket, from the greeting to the end of the film.

    visitor: {"person": id, "voice": "microphone" | "file", "rate": Hz}      the greeting
    server:  {"kind": "place", "place": n}                                   in line, n - 1 are before you
             {"kind": "ready", "mime": ...}                                  your turn: speak, or send the file
    visitor: pieces of sound (16-bit PCM of the microphone, or of the file), {"kind": "end"} after the last;
             {"kind": "here"} every few seconds
    server:  pieces of the film; in the end {"kind": "end" | "error", "message": ...}

Three tasks: `_listen` reads all the visitor sends, `_show` sends all that is drawn, and the drawing itself waits for
its seat and then has a thread. What waits between them is bounded.
"""

import json
import logging
import secrets
from dataclasses import dataclass

import anyio
import anyio.from_thread
import anyio.to_thread
from fastapi import WebSocket, WebSocketDisconnect

from cospeech.inference.speaker import Person, Speaker
from cospeech.serving.audio_input import RATES, Microphone, Upload
from cospeech.serving.av_sync import Talk
from cospeech.serving.gallery import Gallery
from cospeech.serving.limits import Limits
from cospeech.serving.mp4_stream import SAMPLE_RATE, Film
from cospeech.serving.queue import Seats

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Studio:
    """What all visitors share. origin: what their films say of themselves, an XMP packet. chunk: latent frames drawn at
    once."""

    speaker: Speaker
    gallery: Gallery[Person]
    seats: Seats
    limits: Limits
    origin: bytes
    chunk: int


@dataclass(frozen=True)
class Wish:
    """The greeting. live: from the microphone, at `rate` Hz; otherwise from a file."""

    person: str
    live: bool
    rate: int


async def receive_visitor(socket: WebSocket, studio: Studio) -> None:
    """What goes wrong is said to the visitor."""
    await socket.accept()
    visit = Visit(socket, studio)
    try:
        await visit.hold()
    except WebSocketDisconnect:
        return
    except ValueError as error:
        visit.end(str(error), failed=True)
    await visit.farewell()


class Visit:
    def __init__(self, socket: WebSocket, studio: Studio) -> None:
        self._socket, self._studio, self._limits = socket, studio, studio.limits
        self._message, self._failed, self._left = "", False, False
        self._turn, self._shown = anyio.Event(), anyio.Event()
        self._scope = anyio.CancelScope()
        self._film_in, self._film_out = anyio.create_memory_object_stream[bytes](studio.limits.pieces)

    def end(self, message: str, failed: bool) -> None:
        """All stops. Whoever ends it first says why."""
        if not self._message:
            self._message, self._failed = message, failed
        self._scope.cancel()

    async def hold(self) -> None:
        """
        Raises:
            ValueError: the greeting or the person cannot be had.
            WebSocketDisconnect: the visitor left before anything began.
        """
        limits = self._limits
        with anyio.move_on_after(limits.upload_seconds) as patience:
            wish = read_wish(await self._socket.receive_text())
        if patience.cancelled_caught:
            raise ValueError(f"no greeting came within {limits.upload_seconds:g} s")
        person = await self._studio.gallery.person(wish.person)
        self._sound = Microphone(wish.rate, limits) if wish.live else Upload(wish.rate, limits)
        with self._scope:
            async with anyio.create_task_group() as group:
                for task in (self._listen, self._show, self._watch):
                    group.start_soon(task)
                await self._draw_in_turn(wish, person)
                await self._shown.wait()
                group.cancel_scope.cancel()

    async def farewell(self) -> None:
        if self._left:
            return
        with anyio.move_on_after(self._limits.stall_seconds):
            try:
                await self._socket.send_json({"kind": "error" if self._failed else "end", "message": self._message})
                await self._socket.close()
            except (RuntimeError, WebSocketDisconnect):  # left in this very moment
                return

    async def _draw_in_turn(self, wish: Wish, person: Person) -> None:
        limits = self._limits
        try:
            with anyio.move_on_after(limits.waiting_seconds) as patience:
                async with self._studio.seats.take(self._tell_place):
                    patience.deadline = float("inf")
                    await self._draw(wish, person)
        except ValueError as error:
            self.end(str(error), failed=True)
        except anyio.BrokenResourceError:  # ended, and nobody takes the film any more
            return
        except Exception:
            logger.exception("a talk failed")
            self.end("the server failed; its log says why", failed=True)
        if patience.cancelled_caught:
            self.end(f"no turn came within {limits.waiting_seconds / 60:g} minutes; please come back later", True)

    async def _tell_place(self, place: int) -> None:
        await self._socket.send_json({"kind": "place", "place": place})

    async def _draw(self, wish: Wish, person: Person) -> None:
        settings = self._studio.speaker.settings
        film = Film(settings.size, settings.fps, self._studio.origin)
        self._turn.set()
        await self._socket.send_json({"kind": "ready", "mime": film.mime})
        with self._film_in:
            await anyio.to_thread.run_sync(self._draw_here, wish, person, film, limiter=anyio.CapacityLimiter(1))

    def _draw_here(self, wish: Wish, person: Person, film: Film) -> None:
        """In a thread of its own."""
        speaker = self._studio.speaker
        with speaker.start(person, secrets.randbits(31), self._studio.chunk, first=1) as session:
            talk = Talk(session, film, wish.rate, speaker.settings.sample_rate, speaker.settings.fps)
            for samples in self._sound:
                self._hand_over(talk.hear(samples))
            self._hand_over(talk.finish())

    def _hand_over(self, piece: bytes) -> None:
        """Waits while too many pieces wait to be sent."""
        if piece:
            anyio.from_thread.run(self._film_in.send, piece)

    async def _show(self) -> None:
        async for piece in self._film_out:
            with anyio.move_on_after(self._limits.stall_seconds) as stall:
                await self._socket.send_bytes(piece)
            if stall.cancelled_caught:
                self.end(f"nothing got through to you for {self._limits.stall_seconds:g} s", failed=True)
        self._shown.set()

    async def _listen(self) -> None:
        while True:
            with anyio.move_on_after(self._limits.idle_seconds) as idle:
                message = await self._socket.receive()
            if idle.cancelled_caught:
                return self.end(f"no sign of you for {self._limits.idle_seconds:g} s", failed=True)
            if message["type"] == "websocket.disconnect":
                self._left = True
                return self._scope.cancel()
            try:
                self._take(message.get("bytes"), message.get("text"))
            except ValueError as error:
                return self.end(str(error), failed=True)

    def _take(self, data: bytes | None, text: str | None) -> None:
        if text is not None and _object(text).get("kind") == "end":
            self._sound.end()
        if data is None or self._message:
            return
        if not self._turn.is_set():
            raise ValueError("sound came before its turn")
        self._sound.put(data)
        if over := self._sound.over():
            self._message = over
            self._sound.end()

    async def _watch(self) -> None:
        """Ends what takes too long. When all stops, lets go of the thread, which must not wait any more: neither for
        sound nor for the film to be taken."""
        limit = self._limits.hold_seconds
        try:
            await self._turn.wait()
            await anyio.sleep(limit)
            self.end(f"the talk took longer than {limit:g} s, the most for one visitor", failed=True)
        finally:
            self._sound.end()
            self._film_out.close()


def read_wish(text: str) -> Wish:
    """
    Raises:
        ValueError: not a greeting.
    """
    said = _object(text)
    person, voice, rate = said.get("person"), said.get("voice"), said.get("rate", SAMPLE_RATE)
    if not isinstance(person, str) or voice not in ("microphone", "file"):
        raise ValueError("a greeting names a person, and microphone or file as voice")
    if type(rate) is not int or rate not in RATES:
        raise ValueError(f"a microphone of {rate!r} Hz; {RATES[0]} to {RATES[-1]} can be heard")
    return Wish(person, voice == "microphone", rate if voice == "microphone" else SAMPLE_RATE)


def _object(text: str) -> dict:
    said = json.loads(text)
    if not isinstance(said, dict):
        raise ValueError("a message is a JSON object")
    return said
