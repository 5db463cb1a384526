"""Sound with holes, of several channels, in several tracks: in step, and the same from every door."""

from pathlib import Path

import numpy as np
import pytest

from cospeech.inference.audio_source import read_voice
from cospeech.media import MediaError, decode_speech, iter_constant_rate, probe, read_speech
from cospeech.serving.audio_input import decode_voice
from tests.helpers.footage import run_ffmpeg

RATE = 16000
SECONDS = 3.0
ON = "(between(t,0.6,0.8)+between(t,2.4,2.6))"


def film(path: Path, sound_filter: str, codec: str) -> Path:
    """Flash and beep at 0.6 s and 2.4 s, the sound's time stamps as the filter leaves them."""
    picture = f"color=black:s=96x96:r=50:d={SECONDS},drawbox=w=96:h=96:c=white:t=fill:enable='{ON}'"
    beep = f"aevalsrc='{ON}*0.8*sin(2*PI*1000*t)':s=48000:d={SECONDS}"
    streams = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", beep, "-pix_fmt", "yuv420p"]
    run_ffmpeg(*streams, "-af", sound_filter, "-c:a", codec, str(path))
    return path


def onsets(level: np.ndarray, threshold: float, rate: float) -> np.ndarray:
    found = np.flatnonzero(level > threshold) / rate
    return found[np.diff(found, prepend=-1.0) > 0.5]


KINDS = [("mp4", "aac"), ("ts", "aac"), ("mts", "ac3"), ("mkv", "libopus"), ("mkv", "flac"), ("webm", "libopus")]


@pytest.mark.parametrize(("suffix", "codec"), KINDS)
@pytest.mark.parametrize("missing", [(1.0, 2.0), (1.4, 1.5)])
def test_sound_after_a_gap_is_in_step(tmp_path: Path, suffix: str, codec: str, missing: tuple[float, float]) -> None:
    begin, end = missing
    path = film(tmp_path / f"gap.{suffix}", f"aselect='not(between(t,{begin},{end}))'", codec)
    speech = decode_speech(path, RATE, probe(path).start, SECONDS)
    beeps = onsets(np.abs(speech.samples), 0.2, RATE)
    frames = np.stack(list(iter_constant_rate(path, 50)))
    assert np.abs(beeps - onsets(frames.mean((1, 2, 3)), 128, 50)).max() < 0.010
    assert beeps == pytest.approx([0.6, 2.4], abs=0.010)
    [gap] = speech.gaps
    assert gap == pytest.approx(missing, abs=0.2)  # a packet of a transport stream holds several blocks, one time
    assert gap[1] - gap[0] == pytest.approx(end - begin, abs=0.05)
    assert not speech.samples[int((gap[0] + 0.01) * RATE) : int((gap[1] - 0.01) * RATE)].any()
    assert speech.notes == [f"no sound from {gap[0]:.2f} s to {gap[1]:.2f} s"]


@pytest.mark.parametrize(("suffix", "codec"), KINDS)
@pytest.mark.parametrize("pace", [1.0, 1.02, 0.98])
def test_time_stamps_are_followed(tmp_path: Path, suffix: str, codec: str, pace: float) -> None:
    path = film(tmp_path / f"pace.{suffix}", f"asetpts=PTS*{pace}", codec)
    speech = decode_speech(path, RATE, probe(path).start, 1.02 * SECONDS)
    assert onsets(np.abs(speech.samples), 0.2, RATE) == pytest.approx([0.6 * pace, 2.4 * pace], abs=0.010)
    assert bool(speech.gaps) == (pace > 1)
    if pace == 1:
        assert speech.notes == []


def test_time_stamps_that_start_again_are_two_recordings(tmp_path: Path) -> None:
    one = film(tmp_path / "one.ts", "anull", "aac").read_bytes()
    (tmp_path / "two.mts").write_bytes(one + one)
    with pytest.raises(MediaError, match=r"start again 3\.0\d s into"):
        decode_speech(tmp_path / "two.mts", RATE, probe(tmp_path / "two.mts").start, 2 * SECONDS)


def voice(path: Path, layout: str, channels: str) -> Path:
    """A WAV of 1 s; channels: an expression of t for each, | between."""
    run_ffmpeg("-f", "lavfi", "-i", f"aevalsrc={channels}:c={layout}:s={RATE}:d=1", "-c:a", "pcm_f32le", str(path))
    return path


TONE = "0.9*sin(2*PI*440*t)"


@pytest.mark.parametrize(
    ("layout", "channels", "level"),
    [
        ("mono", TONE, 0.9),
        ("stereo", f"{TONE}|{TONE}", 0.9),
        ("stereo", f"{TONE}|-{TONE}", 0.9),
        ("stereo", f"0|{TONE}", 0.45),
        ("5.1", f"0|0|{TONE}|0|0|0", 0.36),
        ("5.1", f"{TONE}|{TONE}|0|0|0|0", 0.36),
        ("5.1", f"{TONE}|-{TONE}|0|0|0|0", 0.36),
        ("5.1", "|".join([TONE] * 6), 0.9),
        ("quad", f"0|0|{TONE}|0", 0.15),
    ],
)
def test_every_door_mixes_alike(tmp_path: Path, layout: str, channels: str, level: float) -> None:
    path = voice(tmp_path / "given.wav", layout, channels)
    live = np.concatenate(list(decode_voice(path.read_bytes(), RATE, 10)))
    spoken, _ = read_speech(read_voice(path, RATE, tmp_path).path)
    taught = decode_speech(path, RATE, 0.0, 1.0).samples
    assert np.abs(taught).max() == pytest.approx(level, abs=0.001)
    assert np.abs(live - taught).max() < 1e-6
    assert np.abs(spoken - taught).max() < 2 / 32768


def test_music_that_is_wide_is_not_turned_over(tmp_path: Path) -> None:
    path = voice(tmp_path / "wide.wav", "stereo", "0.5*sin(2*PI*300*t)|0.5*sin(2*PI*437*t)")
    left = 0.5 * np.sin(2 * np.pi * 300 * np.arange(RATE) / RATE)
    right = 0.5 * np.sin(2 * np.pi * 437 * np.arange(RATE) / RATE)
    assert np.abs(decode_speech(path, RATE, 0.0, 1.0).samples - (left + right) / 2).max() < 1e-4


def two_tracks(path: Path, first: str, second: str, *default: str) -> Path:
    sources = [f"aevalsrc={expression}:s={RATE}:d=1" for expression in (first, second)]
    inputs = [word for source in sources for word in ("-f", "lavfi", "-i", source)]
    run_ffmpeg(*inputs, "-map", "0", "-map", "1", "-c:a", "flac", *default, str(path))
    return path


@pytest.mark.parametrize(
    ("first", "second", "default", "chosen"),
    [
        (TONE, "0.5*sin(t*999)", [], 1),
        (TONE, "0.5*sin(t*999)", ["-disposition:a:0", "0", "-disposition:a:1", "default"], 2),
        ("0", TONE, [], 2),
        ("0", "0", [], 1),
    ],
)
def test_the_track(tmp_path: Path, first: str, second: str, default: list[str], chosen: int) -> None:
    speech = decode_speech(two_tracks(tmp_path / "tracks.mka", first, second, *default), RATE, 0.0, 1.0)
    assert speech.notes == [f"sound track {chosen} of 2"]
    assert np.abs(speech.samples).max() == pytest.approx(
        {TONE: 0.9, "0": 0.0}.get((first, second)[chosen - 1], 0.5), abs=0.01
    )
