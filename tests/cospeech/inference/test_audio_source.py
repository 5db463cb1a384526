"""Each kind of sound file, made on the spot."""

import wave
from pathlib import Path

import av
import numpy as np
import pytest

from cospeech.inference.audio_source import read_voice
from cospeech.inference.errors import InputError
from cospeech.media import write_video


def tone(seconds: float, rate: int, hertz: float = 440.0) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def save(path: Path, channels: list[np.ndarray], rate: int) -> Path:
    pcm = (np.stack(channels, -1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(len(channels))
        stream.setsampwidth(2)
        stream.setframerate(rate)
        stream.writeframes(pcm.tobytes())
    return path


def heard(voice) -> np.ndarray:  # type: ignore[no-untyped-def]
    return np.concatenate(list(voice.pieces(640)))


def test_mono_at_the_models_rate_comes_through_as_it_is(tmp_path: Path) -> None:
    voice = read_voice(save(tmp_path / "a.wav", [tone(1.01, 16000)], 16000), 16000, tmp_path)
    np.testing.assert_allclose(heard(voice), tone(1.01, 16000), atol=1e-4)
    assert voice.notes == ()
    assert voice.frames(25) == 26


def test_stereo_is_mixed_down_for_the_motion_and_kept_for_the_video(tmp_path: Path) -> None:
    left, right = tone(1, 16000), tone(1, 16000, 700)
    voice = read_voice(save(tmp_path / "a.wav", [left, right], 16000), 16000, tmp_path)
    mixed = heard(voice)
    assert np.corrcoef(mixed, left + right)[0, 1] > 0.999
    with wave.open(str(voice.sound)) as stream:
        assert (stream.getnchannels(), stream.getframerate(), stream.getnframes()) == (2, 16000, 16000)
    assert "2 channels, mixed down" in voice.notes[0]


@pytest.mark.parametrize("rate", [8000, 44100, 48000])
def test_other_rates_are_resampled_in_step(tmp_path: Path, rate: int) -> None:
    samples = tone(1, rate)
    samples[rate // 2 :] = 0
    voice = read_voice(save(tmp_path / "a.wav", [samples], rate), 16000, tmp_path)
    found = heard(voice)
    assert abs(len(found) - 16000) <= 2
    expected = tone(1, 16000)
    expected[8000:] = 0
    np.testing.assert_allclose(found[100:7900], expected[100:7900], atol=0.02)
    assert np.abs(found[8100:]).max() < 0.01
    assert f"{rate} Hz, resampled to 16000 Hz" in voice.notes[0]
    with wave.open(str(voice.sound)) as stream:
        assert (stream.getframerate(), stream.getnframes()) == (rate, rate)


def test_the_sound_of_a_video_will_do(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, np.zeros((25, 64, 64, 3), np.uint8), 25, tone(1, 16000).astype(np.float32))
    assert np.abs(heard(read_voice(path, 16000, tmp_path))).max() > 0.2


def test_it_can_be_cut(tmp_path: Path) -> None:
    voice = read_voice(save(tmp_path / "a.wav", [tone(2.5, 48000)] * 2, 48000), 16000, tmp_path).cut(1.2)
    assert len(heard(voice)) == voice.samples == 19200
    with wave.open(str(voice.sound)) as stream:
        assert stream.getnframes() == 57600


def corrupt_mp3(path: Path) -> Path:
    with av.open(str(path), "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(2, 16000).astype(np.float32)[None], "fltp", "mono")
        frame.rate = 16000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    whole = path.read_bytes()
    path.write_bytes(bytes(b ^ 0x5A for b in whole))
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path, "no such file"),
        (lambda path: (path.write_bytes(b""), path)[1], "is empty"),
        (lambda path: (path.write_text("hello, this is text" * 50), path)[1], "not sound that can be read"),
        (lambda path: corrupt_mp3(path), "not sound that can be read"),
        (lambda path: save(path, [np.zeros(16000)], 16000), "is silent"),
        (lambda path: save(path, [tone(1, 16000) * 1e-3], 16000), r"is silent: its loudest 50 ms have -7\d dB"),
        (lambda path: save(path, [tone(0.03, 16000)], 16000), r"lasts 0\.030 s"),
        (lambda path: save(path, [np.zeros(0)], 16000), r"lasts 0\.000 s|not sound"),
        (lambda path: (write_video(path.with_suffix(".mp4"), np.zeros((5, 64, 64, 3), np.uint8), 25),
                       path.with_suffix(".mp4"))[1], "no sound in it"),
    ],
    ids=["absent", "empty", "text", "corrupt", "silent", "nearly silent", "short", "no samples", "no sound"],
)  # fmt: skip
def test_what_cannot_be_used_says_why(tmp_path: Path, make, message: str) -> None:  # type: ignore[no-untyped-def]
    path = make(tmp_path / "given.wav")
    with pytest.raises(InputError, match=message) as caught:
        read_voice(path, 16000, tmp_path)
    assert str(path) in str(caught.value)
