"""Handle one visitor on the websocket, from the request to the end of the video.

    visitor: {"person": id, "voice": "microphone" | "file", "rate": Hz}      the request
    server:  {"kind": "place", "place": n}                                   place in line; 1 is next
             {"kind": "ready", "mime": ...}                                  now speak, or send the file
    visitor: chunks of sound (16-bit PCM of the microphone, or of the file), then {"kind": "end"};
             {"kind": "here"} every few seconds
    server:  pieces of the MP4 stream; at the end {"kind": "end" | "error", "message": ...}

Four tasks: `_listen` receives what the visitor sends, `_generate_in_turn` waits for a slot and generates in a thread,
`_show` sends the stream, and `_watch` enforces the time limit. The buffers between them are bounded.
"""

import json
import logging
import secrets
from dataclasses import dataclass

import anyio
import anyio.from_thread
import anyio.to_thread
from fastapi import WebSocket, WebSocketDisconnect
from starlette.status import WS_1000_NORMAL_CLOSURE, WS_1008_POLICY_VIOLATION

from cospeech.inference.speaker import Person, Speaker
from cospeech.serving.audio_input import RATES, Microphone, Upload
from cospeech.serving.av_sync import AvSync
from cospeech.serving.gallery import Gallery
from cospeech.serving.limits import Limits
from cospeech.serving.mp4_stream import SAMPLE_RATE, Mp4Stream
from cospeech.serving.queue import TalkQueue

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerState:
    """The state that all visitors share.

    origin: XMP packet that states how the videos were made. chunk: latent frames generated at once.
    """

    speaker: Speaker
    gallery: Gallery[Person]
    queue: TalkQueue
    limits: Limits
    origin: bytes
    chunk: int


@dataclass(frozen=True)
class TalkRequest:
    """What a visitor asks for. live: the voice comes from a microphone at `rate` Hz, otherwise from a file."""

    person: str
    live: bool
    rate: int


async def run_session(socket: WebSocket, state: ServerState) -> None:
    """Accept a visitor and run the session; errors are sent to the visitor."""
    await socket.accept()
    session = TalkSession(socket, state)
    try:
        await session.hold()
    except WebSocketDisconnect:
        return
    except ValueError as error:
        session.end(str(error), failed=True)
    await session.farewell()


class TalkSession:
    """One visitor's talk."""

    def __init__(self, socket: WebSocket, state: ServerState) -> None:
        self._socket, self._state, self._limits = socket, state, state.limits
        self._message, self._failed, self._left = "", False, False
        self._turn, self._shown = anyio.Event(), anyio.Event()
        self._scope = anyio.CancelScope()
        self._film_in, self._film_out = anyio.create_memory_object_stream[bytes](state.limits.pieces)

    def end(self, message: str, failed: bool) -> None:
        """Stop all tasks; the first caller's message is sent."""
        if not self._message:
            self._message, self._failed = message, failed
        self._scope.cancel()

    async def hold(self) -> None:
        """Read the request and run the talk to its end.

        Raises:
            ValueError: the request is invalid, or names nobody who can talk.
            WebSocketDisconnect: the visitor left before the talk began.
        """
        limits = self._limits
        with anyio.move_on_after(limits.request_seconds) as patience:
            message = await self._socket.receive()
        if patience.cancelled_caught:
            raise ValueError(f"no request arrived within {limits.request_seconds:g} s")
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect
        request = parse_request(message.get("text") or "")
        person = await self._state.gallery.person(request.person)
        self._sound = Microphone(request.rate, limits) if request.live else Upload(request.rate, limits)
        with self._scope:
            async with anyio.create_task_group() as group:
                for task in (self._listen, self._show, self._watch):
                    group.start_soon(task)
                await self._generate_in_turn(request, person)
                await self._shown.wait()
                group.cancel_scope.cancel()

    async def farewell(self) -> None:
        """Send the last message and close the websocket."""
        if self._left:
            return
        with anyio.move_on_after(self._limits.stall_seconds):
            try:
                await self._socket.send_json({"kind": "error" if self._failed else "end", "message": self._message})
                await self._socket.close(WS_1008_POLICY_VIOLATION if self._failed else WS_1000_NORMAL_CLOSURE)
            except (RuntimeError, WebSocketDisconnect):  # the visitor has just left
                return

    async def _generate_in_turn(self, request: TalkRequest, person: Person) -> None:
        limits = self._limits
        try:
            with anyio.move_on_after(limits.waiting_seconds) as patience:
                async with self._state.queue.slot(self._tell_place):
                    patience.deadline = float("inf")
                    await self._generate(request, person)
        except ValueError as error:
            self.end(str(error), failed=True)
        except anyio.BrokenResourceError:  # the session has ended, and nobody reads the stream
            return
        except Exception:
            logger.exception("a talk failed")
            self.end("the server failed; see its log", failed=True)
        if patience.cancelled_caught:
            self.end(f"no slot was free for {limits.waiting_seconds / 60:g} minutes; please come back later", True)

    async def _tell_place(self, place: int) -> None:
        await self._socket.send_json({"kind": "place", "place": place})

    async def _generate(self, request: TalkRequest, person: Person) -> None:
        settings = self._state.speaker.settings
        stream = Mp4Stream(settings.size, settings.fps, self._state.origin)
        self._turn.set()
        await self._socket.send_json({"kind": "ready", "mime": stream.mime})
        with self._film_in:
            limiter = anyio.CapacityLimiter(1)
            await anyio.to_thread.run_sync(self._generate_here, request, person, stream, limiter=limiter)

    def _generate_here(self, request: TalkRequest, person: Person, stream: Mp4Stream) -> None:
        """Generate the stream; runs in its own thread."""
        speaker = self._state.speaker
        with speaker.start(person, secrets.randbits(31), self._state.chunk, first=1) as session:
            talk = AvSync(session, stream, request.rate, speaker.settings.sample_rate, speaker.settings.fps)
            for samples in self._sound:
                self._send(talk.push(samples))
            self._send(talk.finish())

    def _send(self, piece: bytes) -> None:
        """Queue a piece of the stream; wait while the queue is full."""
        if piece:
            anyio.from_thread.run(self._film_in.send, piece)

    async def _show(self) -> None:
        async for piece in self._film_out:
            with anyio.move_on_after(self._limits.stall_seconds) as stall:
                await self._socket.send_bytes(piece)
            if stall.cancelled_caught:
                self.end(f"your connection took no data for {self._limits.stall_seconds:g} s", failed=True)
        self._shown.set()

    async def _listen(self) -> None:
        while True:
            with anyio.move_on_after(self._limits.idle_seconds) as idle:
                message = await self._socket.receive()
            if idle.cancelled_caught:
                return self.end(f"your page sent nothing for {self._limits.idle_seconds:g} s", failed=True)
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
            raise ValueError("sound arrived before the server was ready for it")
        self._sound.put(data)
        if reason := self._sound.stop_reason():
            self._message = reason
            self._sound.end()

    async def _watch(self) -> None:
        """End a talk that takes too long. When all tasks stop, release the thread: it may wait for sound or to send."""
        limit = self._limits.hold_seconds
        try:
            await self._turn.wait()
            await anyio.sleep(limit)
            self.end(f"the talk took longer than {limit:g} s, the limit for one visitor", failed=True)
        finally:
            self._sound.end()
            self._film_out.close()


def parse_request(text: str) -> TalkRequest:
    """Parse the first message of a visitor.

    Raises:
        ValueError: it is not a valid request.
    """
    message = _object(text)
    person, voice, rate = message.get("person"), message.get("voice"), message.get("rate", SAMPLE_RATE)
    if not isinstance(person, str) or voice not in ("microphone", "file"):
        raise ValueError(f"person {person!r:.40}, voice {voice!r:.40}: they must be an id, and microphone or file")
    if type(rate) is not int or rate not in RATES:
        raise ValueError(f"rate is {rate!r:.20} Hz; it must be {RATES[0]} to {RATES[-1]}")
    return TalkRequest(person, voice == "microphone", rate if voice == "microphone" else SAMPLE_RATE)


def _object(text: str) -> dict:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise ValueError("the message is not a JSON object in text")
    return message
