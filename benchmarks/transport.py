"""How long from a frame's being handed to the sender to its being on the screen: websocket and Media Source, or WebRTC?

The same frames and sound go to headless Chromium over the page's own path (`AvSync`, `Mp4Stream`, player.js) and over
aiortc, on loopback. A frame carries its number as blocks that the page reads back; a beep begins with the first of
every second. A frame of a chunk is due at its place in it: with --chunk 8 the last one 280 ms after the first. delay:
from due to on the screen. skew: how much later a picture is seen than the beep that belongs to it is heard. processor:
of the sending process, seconds a second of film.
"""

import argparse
import asyncio
import importlib.util
import json
import multiprocessing
import socket
import time
from collections.abc import Awaitable, Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.browser import NONE_FOUND, browser_path
from cospeech import serving
from cospeech.harness.files import write_json
from cospeech.serving.av_sync import AvSync
from cospeech.serving.mp4_stream import SAMPLE_RATE, Mp4Stream

ROOT = Path(__file__).parents[1]
SIZE, FPS = 256, 25
BITS = BLOCK = 16
"""Of a frame's number; pixels a side of a bit."""
EACH = SAMPLE_RATE // FPS
LOOK_AHEAD = 5
"""Frames by which the voice is known before it is drawn, as the model needs it."""
SETTLING = 5
"""Seconds that are not counted."""
PACKET = SAMPLE_RATE // 50
"""Samples of Opus that leave together."""
WAYS = ("websocket", "H264", "VP8")
"""The last two: WebRTC."""


class Scene:
    """A pattern that moves, and a soft tone with a beep each second."""

    def __init__(self, seed: int = 0) -> None:
        import cv2

        coarse = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
        self._pattern = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)

    def frames(self, first: int, count: int) -> np.ndarray:
        """(count, SIZE, SIZE, 3) uint8."""
        return np.stack([self._frame(number) for number in range(first, first + count)])

    def voice(self, first: int, count: int) -> np.ndarray:
        """(count * EACH,) float32 in -1..1: what is heard with these frames."""
        time = np.arange(first * EACH, (first + count) * EACH) / SAMPLE_RATE
        beep = time % 1 < 0.1
        return (np.where(beep, 0.6, 0.05) * np.sin(2 * np.pi * np.where(beep, 880, 220) * time)).astype(np.float32)

    def _frame(self, number: int) -> np.ndarray:
        frame = np.roll(self._pattern, 2 * number, axis=1)
        blocks = np.repeat(number >> np.arange(BITS) & 1, BLOCK)[None, :, None] * 255
        frame[:BLOCK], frame[BLOCK : 2 * BLOCK] = blocks, 255 - blocks
        return frame


class Prepared:
    """A `cospeech.serving.av_sync.FrameSource` without a model: returns `frames` for any sound."""

    frames = np.zeros((0, SIZE, SIZE, 3), np.uint8)

    def push(self, samples: np.ndarray) -> np.ndarray:
        return self.frames

    def finish(self) -> np.ndarray:
        return self.frames[:0]


class Sender:
    """sent: of each frame when it was due (s since 1970), and processor seconds of this process until it was handed."""

    def __init__(self, chunk: int, seconds: float) -> None:
        self.scene, self.chunk, self.seconds = Scene(), chunk, seconds
        self.sent: list[tuple[float, float]] = []

    async def hand_out(self, take: Callable[[int, float], Awaitable[None]]) -> None:
        """Gives `take` the number of each chunk's first frame and when it is due, in real time."""
        begun = time.time()
        for first in range(0, round(self.seconds * FPS), self.chunk):
            await asyncio.sleep(max(0.0, begun + first / FPS - time.time()))
            now = time.time()
            self.sent += [(now + index / FPS, time.process_time()) for index in range(self.chunk)]
            await take(first, now)


async def over_websocket(visitor: Any, sender: Sender) -> None:
    await visitor.accept()
    film, drawing = Mp4Stream(SIZE, FPS), Prepared()
    talk = AvSync(drawing, film, SAMPLE_RATE, SAMPLE_RATE, FPS)
    await visitor.send_text(film.mime)
    await visitor.receive_text()
    talk.push(sender.scene.voice(0, LOOK_AHEAD))

    async def take(first: int, now: float) -> None:
        drawing.frames = sender.scene.frames(first, sender.chunk)
        heard = sender.scene.voice(first + LOOK_AHEAD, sender.chunk)
        await visitor.send_bytes(await asyncio.to_thread(talk.push, heard))

    await sender.hand_out(take)


async def over_webrtc(offer: dict[str, str], sender: Sender) -> tuple[dict[str, str], Any]:
    """The answer to the page's offer, and the connection: lives as long as it is kept."""
    import av
    from aiortc import RTCPeerConnection, RTCSessionDescription

    peer, pictures, sounds = RTCPeerConnection(), make_track("video"), make_track("audio")

    async def take(first: int, now: float) -> None:
        for index, frame in enumerate(sender.scene.frames(first, sender.chunk)):
            pictures.give(now + index / FPS, av.VideoFrame.from_ndarray(frame, "rgb24"), first + index, FPS)
        voice = (sender.scene.voice(first, sender.chunk) * 32767).astype(np.int16)
        for index, piece in enumerate(voice.reshape(-1, PACKET)):
            sound = av.AudioFrame.from_ndarray(piece[None], "s16", "mono")
            sound.sample_rate = SAMPLE_RATE
            start = first * EACH + index * PACKET
            sounds.give(now + index * PACKET / SAMPLE_RATE, sound, start, SAMPLE_RATE)

    @peer.on("connectionstatechange")
    async def changed() -> None:
        if peer.connectionState == "connected":
            await sender.hand_out(take)

    await peer.setRemoteDescription(RTCSessionDescription(**offer))
    peer.addTrack(pictures)
    peer.addTrack(sounds)
    await peer.setLocalDescription(await peer.createAnswer())
    return {"sdp": peer.localDescription.sdp, "type": peer.localDescription.type}, peer


def make_track(kind: str) -> Any:
    """A track of what it is given, each at its time."""
    from aiortc import MediaStreamTrack

    class Track(MediaStreamTrack):
        def __init__(self) -> None:
            super().__init__()
            self.kind = kind
            self._given: asyncio.Queue[tuple[float, Any]] = asyncio.Queue()

        def give(self, due: float, frame: Any, pts: int, rate: int) -> None:
            frame.pts, frame.time_base = pts, Fraction(1, rate)
            self._given.put_nowait((due, frame))

        async def recv(self) -> Any:
            due, frame = await self._given.get()
            await asyncio.sleep(max(0.0, due - time.time()))
            return frame

    return Track()


def serve(listening: socket.socket, chunk: int, seconds: float) -> None:
    """One visitor's server, in a process of its own; tells `Sender.sent` at /sent."""
    import uvicorn
    from fastapi import FastAPI, Request, WebSocket
    from fastapi.responses import FileResponse

    app, sender, peers = FastAPI(), Sender(chunk, seconds), []
    page = FileResponse(Path(__file__).with_suffix(".html"))
    player = FileResponse(Path(serving.__path__[0]) / "page/player.js")
    app.add_api_route("/", lambda: page, response_model=None)
    app.add_api_route("/player.js", lambda: player, response_model=None)
    app.add_api_route("/sent", lambda: sender.sent)

    @app.websocket("/film")
    async def film(visitor: WebSocket) -> None:
        await over_websocket(visitor, sender)

    @app.post("/offer")
    async def offer(request: Request) -> dict[str, str]:
        answer, peer = await over_webrtc(await request.json(), sender)
        peers.append(peer)
        return answer

    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listening])


def measure(browser: Any, way: str, chunk: int, seconds: float) -> dict[str, Any]:
    """One visit, in a page and a server of its own."""
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(listening, chunk, seconds), daemon=True)
    server.start()
    page = browser.new_page()
    try:
        page.goto(f"{address}/?way={way}", timeout=60_000)
        page.wait_for_timeout(1000 * (seconds + 3))
        found, sent = page.evaluate("window.found"), page.request.get(f"{address}/sent").json()
    finally:
        page.close()
        server.kill()
        server.join()
        listening.close()
    if not found["shown"]:
        raise SystemExit(f"{way}: no frame of {len(sent)} was shown")
    return figures(found, sent)


def figures(found: dict[str, Any], sent: list[tuple[float, float]]) -> dict[str, Any]:
    """Of what the page saw and when it was sent; times in ms."""
    settled = SETTLING * FPS
    shown = {int(number): when for number, when in reversed(found["shown"]) if number >= 0}  # when first seen
    counted = [number for number in shown if settled <= number < len(sent)]
    delay = [shown[number] - 1000 * sent[number][0] for number in counted]
    skew = [shown[number] - beep for number, beep in beeps(shown, found["heard"]) if number >= settled]
    processor = (sent[-1][1] - sent[settled][1]) / ((len(sent) - 1 - settled) / FPS)
    return {
        "delay_median_ms": float(np.median(delay)),
        "delay_p95_ms": float(np.percentile(delay, 95)),
        "first_from_handed_ms": shown[min(shown)] - 1000 * sent[min(shown)][0],
        "first_from_asked_ms": shown[min(shown)] - found["asked"],
        "skew_median_ms": float(np.median(skew)) if skew else None,
        "skew_range_ms": [min(skew), max(skew)] if skew else None,
        "beeps": len(skew),
        "not_shown_percent": 100 * (1 - len(counted) / (len(sent) - settled)),
        "unread": sum(number < 0 for number, _ in found["shown"]),
        "player_lead": found.get("lead"),
        "processor": processor,
        "kilobits_a_second": found["bytes"] * 8 / 1000 / (len(sent) / FPS),
    }


def beeps(shown: dict[int, float], heard: list[float]) -> list[tuple[int, float]]:
    """The first frame of each second that was shown, with the beep nearest to it, at most half a second off."""
    pairs = [(number, min(heard, key=lambda beep: abs(beep - when), default=np.inf)) for number, when in shown.items()]
    return [(number, beep) for number, beep in pairs if number % FPS == 0 and abs(beep - shown[number]) < 500]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--chunk", type=int, default=1, help="frames handed over at once")
    parser.add_argument("--seconds", type=float, default=25, help=f"of film; the first {SETTLING} are not counted")
    parser.add_argument("--runs", type=int, default=1, help="of each way, in turn")
    options = parser.parse_args()
    if set(options.ways) - {"websocket"} and importlib.util.find_spec("aiortc") is None:
        raise SystemExit("WebRTC is measured with aiortc, which is not here: pip install aiortc")
    from playwright.sync_api import sync_playwright

    path = browser_path()
    if path is None:
        raise SystemExit(NONE_FOUND)
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    found = []
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=path, args=arguments) as browser:
        for _ in range(options.runs):
            for way in options.ways:
                run = {"way": way, "chunk": options.chunk, **measure(browser, way, options.chunk, options.seconds)}
                print(json.dumps(run), flush=True)
                found.append(run)
    write_json(ROOT / f"reports/benchmarks/transport-{options.chunk}.json", found)


if __name__ == "__main__":
    main()
