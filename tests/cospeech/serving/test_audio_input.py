"""What a visitor says arrives whole, in order, at the right rate; what cannot be heard says why."""

import io
import threading
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cospeech.media import write_video
from cospeech.serving.audio_input import Microphone, Resampler, Upload, decode_voice
from cospeech.serving.limits import Limits


def tone(seconds: float, rate: int, loud: float = 0.5) -> np.ndarray:
    return (loud * np.sin(np.arange(round(seconds * rate)) * 2 * np.pi * 440 / rate)).astype(np.float32)


def wav(samples: np.ndarray, rate: int, channels: int = 1) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as stream:
        stream.setnchannels(channels)
        stream.setsampwidth(2)
        stream.setframerate(rate)
        stream.writeframes(np.repeat((samples * 32767).astype("<i2"), channels).tobytes())
    return out.getvalue()


@pytest.mark.parametrize(("rate", "target"), [(48000, 16000), (44100, 48000), (16000, 16000)])
def test_another_rate_piece_by_piece(rate: int, target: int) -> None:
    resampler, samples = Resampler(rate, target), tone(1.0, rate)
    parts = [resampler.push(samples[start : start + 960]) for start in range(0, rate, 960)]
    heard = np.concatenate([*parts, resampler.finish()])
    assert abs(len(heard) - target) <= 2
    middle = slice(target // 4, target // 2)
    np.testing.assert_allclose(heard[middle], tone(1.0, target)[middle], atol=0.02)


LIMITS = Limits(behind_seconds=1.0, quiet_seconds=1.2, voice_seconds=3.0, voice_bytes=50_000, upload_seconds=0.2)
QUIET, LOUD = np.zeros(8000, "<i2").tobytes(), np.full(8000, 3000, "<i2").tobytes()
"""Half a second at 16 kHz."""


def test_a_microphone_is_bounded() -> None:
    microphone = Microphone(16000, LIMITS)
    microphone.put(QUIET)
    microphone.put(LOUD)
    with pytest.raises(ValueError, match="1 s behind"):
        microphone.put(b"\0\0")
    pieces = iter(microphone)
    assert next(pieces).max() == 0
    microphone.put(QUIET)
    microphone.end()
    assert [len(piece) for piece in pieces] == [8000, 8000]


@pytest.mark.parametrize(
    ("said", "why"),
    [([LOUD] * 6, None), ([LOUD] * 7, "lasted 3 s"), ([LOUD] + [QUIET] * 2, None), ([LOUD] + [QUIET] * 3, "for 1.2 s")],
)
def test_a_microphone_knows_when_it_is_enough(said: list[bytes], why: str | None) -> None:
    microphone = Microphone(16000, replace(LIMITS, behind_seconds=60))
    for piece in said:
        assert microphone.stop_reason() is None
        microphone.put(piece)
    over = microphone.stop_reason()
    assert over is None if why is None else why in str(over)


def test_a_microphone_waits_for_what_is_said() -> None:
    microphone, heard = Microphone(16000, LIMITS), []
    thread = threading.Thread(target=lambda: heard.extend(microphone), daemon=True)
    thread.start()
    microphone.put(b"\1\0\2\0\3")  # half a sample is left out
    microphone.end()
    thread.join(5)
    np.testing.assert_array_equal(heard[0] * 32768, [1, 2])


def test_an_upload_is_bounded_in_bytes_and_time() -> None:
    upload, data = Upload(16000, LIMITS), wav(tone(1.0, 16000), 16000)
    upload.put(data[:20000])
    with pytest.raises(ValueError, match=r"within 0\.2 s"):
        next(iter(upload))
    upload.put(data[20000:])
    upload.end()
    assert len(np.concatenate(list(upload))) == 16000
    with pytest.raises(ValueError, match=r"larger than 0\.05 MB"):
        upload.put(bytes(20000))


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 2), (48000, 1)])
def test_files_of_any_rate_and_layout(rate: int, channels: int) -> None:
    pieces = list(decode_voice(wav(tone(0.55, rate), rate, channels), 48000, 10))
    assert {len(piece) for piece in pieces[:-1]} == {4800}
    heard = np.concatenate(pieces)
    assert len(heard) == pytest.approx(0.55 * 48000, abs=60)
    assert np.abs(heard).max() == pytest.approx(0.5, abs=0.03)


def test_the_sound_of_a_video(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", np.zeros((25, 32, 32, 3), np.uint8), 25, tone(1.0, 16000))
    heard = np.concatenate(list(decode_voice((tmp_path / "a.mp4").read_bytes(), 16000, 10)))
    assert len(heard) == pytest.approx(16000, abs=1500)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"certainly not sound" * 50, "sound file"),
        (wav(tone(0.5, 8000, 0.0), 8000), "silent"),
        (wav(tone(3.0, 8000), 8000), "longer than 2 s"),
    ],
)
def test_what_cannot_be_heard_is_said_before_the_first_piece(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        next(decode_voice(data, 48000, 2))


def test_a_video_without_sound(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", np.zeros((5, 32, 32, 3), np.uint8), 25)
    with pytest.raises(ValueError, match="audio stream"):
        next(decode_voice((tmp_path / "a.mp4").read_bytes(), 48000, 2))
