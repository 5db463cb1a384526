"""Whole visits, without a network: the film is whole, turns are kept, nobody holds up anybody, all ends."""

import io
import json
import threading
from dataclasses import replace
from typing import Any

import anyio
import av
import numpy as np
import pytest

from cospeech.inference.session import Session
from cospeech.inference.speaker import Person, Speaker
from cospeech.serving.session import ServerState, parse_request, run_session
from tests.cospeech.inference.small import speech
from tests.cospeech.serving.scene import LIMITS, ORIGIN, FakeSocket, make_state
from tests.cospeech.serving.test_audio_input import tone, wav

pytestmark = pytest.mark.anyio
SECOND = (speech(1.0) * 32767).astype("<i2")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def greet(socket: FakeSocket, voice: str = "microphone", person: str = "0", **more: Any) -> None:
    socket.say(text=json.dumps({"person": person, "voice": voice, "rate": 16000, **more}))


async def speak(socket: FakeSocket, seconds: int = 1) -> None:
    await socket.ready.wait()
    for _ in range(seconds):
        for piece in np.split(SECOND, 50):
            socket.say(bytes=piece.tobytes())
            await anyio.sleep(0.001)


def times(film: list[bytes]) -> tuple[list[float], float]:
    """Of the frames, and where the sound ends."""
    with av.open(io.BytesIO(b"".join(film))) as container:
        packets = [packet for packet in container.demux() if packet.pts is not None]
        seen = [float(packet.pts * packet.time_base) for packet in packets if packet.stream.type == "video"]
        heard = [float((packet.pts + packet.duration) * packet.time_base) for packet in packets]
        return seen, max(time for time, each in zip(heard, packets, strict=True) if each.stream.type == "audio")


async def visit(state: ServerState, socket: FakeSocket) -> None:
    with anyio.fail_after(60):
        await run_session(socket, state)  # type: ignore[arg-type]


async def test_a_microphone() -> None:
    socket = FakeSocket()
    async with anyio.create_task_group() as group:
        group.start_soon(visit, make_state(), socket)
        greet(socket)
        await speak(socket)
        socket.say(text='{"kind": "end"}')
    assert [told["kind"] for told in socket.told] == ["ready", "end"]
    assert socket.told[0]["mime"].startswith("video/mp4")
    assert len(socket.film) > 1  # it came piece by piece
    assert ORIGIN in socket.film[0]
    seen, end = times(socket.film)
    assert len(seen) == pytest.approx(25, abs=1)
    assert end == pytest.approx(len(seen) / 25, abs=0.03)


async def test_a_file_of_another_rate() -> None:
    socket, data = FakeSocket(), wav(tone(0.6, 44100), 44100, 2)
    async with anyio.create_task_group() as group:
        group.start_soon(visit, make_state(), socket)
        greet(socket, "file")
        await socket.ready.wait()
        for start in range(0, len(data), 30000):
            socket.say(bytes=data[start : start + 30000])
        socket.say(text='{"kind": "end"}')
    assert socket.told[-1] == {"kind": "end", "message": ""}
    assert len(times(socket.film)[0]) == 15


async def test_turns_and_places() -> None:
    state = make_state(talks=1)
    first, second, third = (FakeSocket() for _ in range(3))
    async with anyio.create_task_group() as group:
        for socket in (first, second, third):
            group.start_soon(visit, state, socket)
            greet(socket)
            await anyio.wait_all_tasks_blocked()
        await first.ready.wait()
        assert second.told == [{"kind": "place", "place": 1}]
        assert third.told == [{"kind": "place", "place": 2}]
        second.leave()  # in the queue
        await anyio.wait_all_tasks_blocked()
        assert third.told[-1] == {"kind": "place", "place": 1}
        first.leave()  # in the middle of the talk
        await speak(third)
        third.say(text='{"kind": "end"}')
    assert not second.film
    assert third.told[-1]["kind"] == "end"
    assert (state.queue.active, state.queue.waiting) == (0, 0)


async def test_a_slow_visitor_holds_up_nobody_and_is_let_go() -> None:
    state = make_state(replace(LIMITS, pieces=4, stall_seconds=3.0))
    slow, quick = FakeSocket(slow=1000), FakeSocket()
    async with anyio.create_task_group() as group:
        group.start_soon(visit, state, slow)
        greet(slow)
        await speak(slow, 4)
        assert len(slow.film) == 0
        group.start_soon(visit, state, quick)
        greet(quick)
        await speak(quick)
        quick.say(text='{"kind": "end"}')
        await quick.over.wait()
        assert len(times(quick.film)[0]) == pytest.approx(25, abs=1)
    assert slow.told[-1] == {"kind": "error", "message": "your connection took no data for 3 s"}
    assert state.queue.active == 0


async def test_what_a_slow_visitor_does_not_take_is_bounded() -> None:
    """Neither film nor voice piles up: the voice that waits behind the film is limited in seconds."""
    state = make_state(replace(LIMITS, pieces=4, behind_seconds=3.0))
    socket = FakeSocket(slow=1000)
    async with anyio.create_task_group() as group:
        group.start_soon(visit, state, socket)
        greet(socket)
        await speak(socket, 8)
    assert socket.told[-1]["kind"] == "error"
    assert "3 s behind" in socket.told[-1]["message"]


@pytest.mark.parametrize(
    ("limits", "seconds", "kind", "message"),
    [
        ({"idle_seconds": 0.3}, 1, "error", "for 0.3 s"),
        ({"voice_seconds": 2}, 4, "end", "2 s"),
        ({"hold_seconds": 0.3}, 1, "error", "0.3 s"),
    ],
)
async def test_time_is_limited(limits: dict[str, float], seconds: int, kind: str, message: str) -> None:
    state, socket = make_state(replace(LIMITS, **limits)), FakeSocket()
    async with anyio.create_task_group() as group:
        group.start_soon(visit, state, socket)
        greet(socket)
        await speak(socket, seconds)
    assert socket.told[-1]["kind"] == kind
    assert message in socket.told[-1]["message"]
    assert state.queue.active == 0


async def test_waiting_is_limited() -> None:
    state = make_state(replace(LIMITS, waiting=1, waiting_seconds=0.3), talks=1)
    sockets = [FakeSocket() for _ in range(3)]
    async with anyio.create_task_group() as group:
        for socket in sockets:
            group.start_soon(visit, state, socket)
            greet(socket)
            await anyio.wait_all_tasks_blocked()
        await sockets[2].over.wait()
        await sockets[1].over.wait()
        sockets[0].leave()
    assert "1 visitors are talking" in sockets[2].told[-1]["message"]
    assert "no slot was free" in sockets[1].told[-1]["message"]


@pytest.mark.parametrize(
    ("first", "message"),
    [
        ("hello", "JSON object"),
        ("[]", "JSON object"),
        ('{"person": "0", "voice": "telegraph"}', "microphone or file"),
        ('{"person": "0", "voice": "microphone", "rate": 1}', "8000 to 192000"),
        ('{"person": "0", "voice": "microphone", "rate": 1e999}', "8000 to 192000"),
        ('{"person": "nobody", "voice": "file"}', "expired"),
    ],
)
async def test_odd_greetings(first: str, message: str) -> None:
    socket = FakeSocket()
    socket.say(text=first)
    await visit(make_state(), socket)
    assert socket.told[-1]["kind"] == "error"
    assert message in socket.told[-1]["message"]


async def test_sound_before_its_turn_and_bad_files() -> None:
    state = make_state(talks=1)
    seated, early = FakeSocket(), FakeSocket()
    async with anyio.create_task_group() as group:
        for socket in (seated, early):
            group.start_soon(visit, state, socket)
            greet(socket, "file")
            await anyio.wait_all_tasks_blocked()
        early.say(bytes=b"12")
        await early.over.wait()
        seated.say(bytes=b"certainly not sound" * 10)
        seated.say(text='{"kind": "end"}')
    assert "sound arrived before" in early.told[-1]["message"]
    assert "sound file" in seated.told[-1]["message"]


async def test_a_failure_is_said_without_its_insides(caplog: pytest.LogCaptureFixture) -> None:
    state, socket = make_state(), FakeSocket()
    object.__setattr__(state.speaker.models, "codec", None)
    async with anyio.create_task_group() as group:
        group.start_soon(visit, state, socket)
        greet(socket)
    assert socket.told[-1] == {"kind": "error", "message": "the server failed; see its log"}
    assert "Traceback" in caplog.text


async def test_a_talk_is_generated_in_the_chunks_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[int, int]] = []
    start = Speaker.start

    def seen(speaker: Speaker, person: Person, seed: int, chunk: int, first: int) -> Session:
        started.append((chunk, first))
        return start(speaker, person, seed, chunk, first)

    monkeypatch.setattr(Speaker, "start", seen)
    socket = FakeSocket()
    async with anyio.create_task_group() as group:
        group.start_soon(visit, replace(make_state(), chunk=2), socket)
        greet(socket)
        await speak(socket)
        socket.say(text='{"kind": "end"}')
    assert started == [(2, 1)]  # one frame first, so that somebody is seen soon


async def test_no_threads_are_left() -> None:
    before = {thread.name for thread in threading.enumerate() if thread.name.startswith("part")}
    state = make_state()
    async with anyio.create_task_group() as group:
        for _ in range(2):
            socket = FakeSocket()
            group.start_soon(visit, state, socket)
            greet(socket)
            await speak(socket)
            socket.leave()
    assert {thread.name for thread in threading.enumerate() if thread.name.startswith("part")} == before


def test_a_greeting() -> None:
    request = parse_request('{"person": "7", "voice": "file", "rate": 44100}')
    assert (request.person, request.live, request.rate) == ("7", False, 48000)
