"""Sources as cameras and editors leave them: turned, uneven, deep, damaged, out of step."""

from pathlib import Path

import numpy as np
import pytest

from cospeech.media import MediaError, decode_speech, iter_constant_rate, probe, read_frames, sample_frames
from tests.helpers.footage import make_flash_and_beep, make_video, run_ffmpeg


def as_ffmpeg_shows(path: Path, width: int, height: int) -> np.ndarray:
    raw = run_ffmpeg("-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-fps_mode", "passthrough", "-")
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_by_metadata_is_applied(tmp_path: Path, degrees: int) -> None:
    flat = make_video(tmp_path / "flat.mp4", size="160x96", seconds=0.2)
    turned = tmp_path / "turned.mp4"
    run_ffmpeg("-display_rotation", str(degrees), "-i", str(flat), "-c", "copy", str(turned))
    info, frames = probe(turned), read_frames(turned)
    width, height = (96, 160) if degrees % 180 else (160, 96)
    assert (info.width, info.height) == (width, height)
    truth = as_ffmpeg_shows(turned, width, height)
    assert frames.shape == truth.shape
    assert np.abs(frames.astype(int) - truth).mean() < 2
    assert np.abs(frames[:, ::-1, ::-1].astype(int) - truth).mean() > 20


@pytest.mark.parametrize(
    ("size", "options"),
    [
        ("128x96", ["-c:v", "libx264", "-pix_fmt", "yuv420p10le"]),
        ("131x77", ["-vf", "format=yuv444p,scale=131:77", "-c:v", "libx264", "-pix_fmt", "yuv444p"]),
        ("128x96", ["-c:v", "mpeg4"]),
    ],
    ids=["10-bit", "odd size", "mpeg4"],
)
def test_kinds_of_video(tmp_path: Path, size: str, options: list[str]) -> None:
    path = make_video(tmp_path / "some.mkv", *options, seconds=0.4, size="132x78" if "131" in size else size)
    width, height = map(int, size.split("x"))
    assert (probe(path).width, probe(path).height, probe(path).audio) == (width, height, True)
    assert (
        np.abs(read_frames(path).astype(int) - as_ffmpeg_shows(path, width, height)).mean() < 6
    )  # other chroma filter


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("this is no video")
    make_video(tmp_path / "voice.m4a", picture=False)
    for name, said in [
        ("absent.mp4", "no such file"),
        ("empty.mp4", "0 bytes"),
        ("text.mp4", "not a readable video"),
        ("voice.m4a", "no video stream"),
    ]:
        with pytest.raises(MediaError, match=said):
            probe(tmp_path / name)


@pytest.mark.parametrize("rate", ["24", "25", "30000/1001", "30", "50", "60"])
def test_constant_rate_keeps_the_length(tmp_path: Path, rate: str) -> None:
    path = make_video(tmp_path / "clip.mp4", rate=rate, seconds=2)
    assert abs(sum(1 for _ in iter_constant_rate(path, 25)) - 50) <= 1


def test_the_same_rate_comes_through_frame_by_frame(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", rate="25", seconds=1)
    assert np.array_equal(np.stack(list(iter_constant_rate(path, 25))), read_frames(path))


def test_sampled_frames_are_spread_over_the_video(tmp_path: Path) -> None:
    path = make_flash_and_beep(tmp_path / "clip.mp4", at=1.5)
    bright = [frame.mean() > 128 for frame in sample_frames(path, 12)]
    assert len(bright) == 12
    assert bright == [1.5 <= 3 * (index + 0.5) / 12 <= 1.9 for index in range(12)]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(
    ("rate", "video_late", "audio_late", "drop"),
    [
        ("25", 0, 0, ""),
        ("30", 0, 0, ""),
        ("30000/1001", 0, 0, ""),
        ("30", 0, 0, "not(eq(mod(n,5),2)+eq(mod(n,7),3))"),
        ("30", 0.3, 0, ""),
        ("30", 0, 0.3, ""),
        ("25", 0.5, 0.2, ""),
    ],
    ids=["25", "30", "29.97", "variable", "video late", "audio late", "both late"],
)
def test_flash_and_beep_stay_together(
    tmp_path: Path, rate: str, video_late: float, audio_late: float, drop: str, suffix: str
) -> None:
    path = make_flash_and_beep(tmp_path / f"clip{suffix}", rate, 1.2, video_late, audio_late, drop)
    frames = np.stack(list(iter_constant_rate(path, 25)))
    info = probe(path)
    speech = decode_speech(path, 16000, info.start, len(frames) / 25).samples
    assert len(speech) == len(frames) * 640
    flash = int(np.argmax(frames.mean((1, 2, 3)) > 128)) / 25
    beep = int(np.argmax(np.abs(speech) > 0.2)) / 16000
    # an mp4 without an empty edit starts its clock at the earlier stream, so only what they share is certain
    assert abs(flash - beep) <= 1 / 25
    assert abs(flash - (1.2 - video_late)) <= 1 / 25


def test_sound_is_silent_where_there_is_none(tmp_path: Path) -> None:
    path = make_flash_and_beep(tmp_path / "clip.mkv", at=1.2, audio_late=0.5)
    speech = decode_speech(path, 16000, probe(path).start, 5.0).samples
    assert len(speech) == 80000
    assert not speech[: int(0.45 * 16000)].any()
    assert not speech[int(3.6 * 16000) :].any()
