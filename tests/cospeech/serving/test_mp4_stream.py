"""The stream read back: both tracks are there, whole, and what was pushed together plays together."""

import io

import av
import numpy as np
import pytest

from cospeech.serving.mp4_stream import SAMPLE_RATE, Mp4Stream

SIZE, FPS, FRAMES = 64, 25, 50
EACH = SAMPLE_RATE // FPS
FLASHES = (10, 30)


def flashes() -> tuple[np.ndarray, np.ndarray]:
    """Dark and quiet; in FLASHES bright, with a tone that lasts as long."""
    frames = np.full((FRAMES, SIZE, SIZE, 3), 20, np.uint8)
    samples = np.zeros(FRAMES * EACH, np.float32)
    for t in FLASHES:
        frames[t] = 230
        samples[t * EACH : (t + 1) * EACH] = 0.5 * np.sin(np.arange(EACH) * 2 * np.pi * 1000 / SAMPLE_RATE)
    return frames, samples


def pieces(frames: np.ndarray, samples: np.ndarray, chunk: int) -> list[bytes]:
    film = Mp4Stream(SIZE, FPS)
    out = [
        film.push(frames[start : start + chunk], samples[start * EACH : (start + chunk) * EACH])
        for start in range(0, len(frames), chunk)
    ]
    return [*out, film.finish()]


def decoded(data: bytes) -> tuple[list[tuple[float, float]], list[tuple[float, np.ndarray]]]:
    """(time, brightness) of every frame and (time, samples) of every packet of sound."""
    seen, heard = [], []
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(video=0, audio=0):
            if isinstance(frame, av.VideoFrame):
                seen.append((frame.time, float(frame.to_ndarray(format="gray").mean())))
            else:
                heard.append((frame.time, frame.to_ndarray()[0]))
    return seen, heard


@pytest.mark.parametrize("chunk", [1, 4, 50])
def test_what_belongs_together_plays_together(chunk: int) -> None:
    seen, heard = decoded(b"".join(pieces(*flashes(), chunk)))
    assert len(seen) == FRAMES
    np.testing.assert_allclose(np.diff([time for time, _ in seen]), 1 / FPS, atol=1e-4)
    start = heard[0][0]
    track = np.concatenate([samples for _, samples in heard])
    assert sum(len(samples) for _, samples in heard[:-1]) / SAMPLE_RATE == pytest.approx(heard[-1][0] - start, abs=1e-3)
    loud = np.abs(track) > 0.25
    for t in FLASHES:
        bright = next(time for time, light in seen[t - 2 :] if light > 150)
        assert seen[t][0] == bright
        tone = (
            start + np.flatnonzero(loud & (np.arange(len(track)) / SAMPLE_RATE + start > bright - 0.2))[0] / SAMPLE_RATE
        )
        assert abs(tone - bright) < 0.005


def test_a_frame_leaves_when_it_is_pushed() -> None:
    out = pieces(*flashes(), 1)
    for t in (0, 5, 40):
        seen, heard = decoded(b"".join(out[: t + 1]))
        assert len(seen) == t + 1
        assert t < 2 or heard[-1][0] + 1024 / SAMPLE_RATE > (t - 1) / FPS  # AAC is at most a frame behind


def test_a_browser_can_be_told_what_it_is() -> None:
    film = Mp4Stream(SIZE, FPS)
    assert film.mime.startswith('video/mp4; codecs="avc1.4d')


def test_nothing_pushed_is_no_bytes_and_starts_late() -> None:
    film = Mp4Stream(SIZE, FPS)
    nothing = np.zeros((0, SIZE, SIZE, 3), np.uint8), np.zeros(0, np.float32)
    assert film.push(*nothing) == b""
    frames, samples = flashes()
    assert film.push(frames[:1], samples[:EACH])[4:8] == b"ftyp"
    assert film.push(*nothing) == b""
    assert film.finish()[4:8] == b"moof"


def test_it_says_what_drew_it() -> None:
    frames, samples = flashes()
    film = Mp4Stream(SIZE, FPS, b"<x:xmpmeta/>")
    data = film.push(frames, samples) + film.finish()
    place = data.index(b"uuid") - 4
    assert data[4:8] == b"ftyp"
    assert place == int.from_bytes(data[:4], "big")  # right after it
    length = int.from_bytes(data[place : place + 4], "big")
    assert data[place + 24 : place + length] == b"<x:xmpmeta/>"
    assert data[place + length + 4 : place + length + 8] == b"moov"
    assert len(decoded(data)[0]) == FRAMES
