"""Sources as cameras and editors leave them: turned, uneven, deep, damaged, out of step."""

import struct
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


def with_matrix(path: Path, source: Path, matrix: tuple[int, int, int, int]) -> Path:
    """The clip with another display matrix (a, b, c, d): across = a x + c y, down = b x + d y."""
    run_ffmpeg("-i", str(source), "-c", "copy", "-an", str(path))
    data = bytearray(path.read_bytes())
    header = data.index(b"tkhd") + 4
    a, b, c, d = (value << 16 for value in matrix)
    struct.pack_into(">9i", data, header + 40, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "matrix",
    [
        *((-1, 0, 0, 1), (1, 0, 0, -1), (-1, 0, 0, -1), (1, 0, 0, 1)),
        *((0, 1, 1, 0), (0, -1, -1, 0), (0, 1, -1, 0), (0, -1, 1, 0)),
    ],
)
def test_mirrors_and_turns_are_shown_as_ffmpeg_shows_them(tmp_path: Path, matrix: tuple[int, int, int, int]) -> None:
    path = with_matrix(tmp_path / "m.mp4", make_video(tmp_path / "flat.mp4", size="160x96", seconds=0.2), matrix)
    width, height = (160, 96) if matrix[0] else (96, 160)
    frames, truth = read_frames(path), as_ffmpeg_shows(path, width, height)
    assert frames.shape == truth.shape
    assert np.abs(frames.astype(int) - truth).mean() < 2
    for other in (frames[:, ::-1], frames[:, :, ::-1], frames[:, ::-1, ::-1]):
        assert np.abs(other.astype(int) - truth).mean() > 20


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(
    ("stored", "aspect", "seen"),
    [("96:128", "4/3", (128, 128)), ("160:96", "3/4", (160, 128)), ("90:72", "16/15", (96, 72))],
)
def test_pixels_that_are_not_square(
    tmp_path: Path, stored: str, aspect: str, seen: tuple[int, int], suffix: str
) -> None:
    width, height = seen
    circle = f"nullsrc=s={4 * width}x{4 * height}:d=0.4,geq=lum='255*lt(hypot(X-W/2,Y-H/2),H/4)':cb=128:cr=128"
    path = tmp_path / f"a.{suffix}"
    run_ffmpeg("-f", "lavfi", "-i", circle, "-vf", f"scale={stored},setsar={aspect}", str(path))
    info, frame = probe(path), read_frames(path)[0]
    assert (info.width, info.height) == seen == frame.shape[1::-1] == sample_frames(path, 1)[0].shape[1::-1]
    across, down = ((frame[..., 0] > 128).any(axis).sum() for axis in (0, 1))
    assert across == pytest.approx(height / 2, abs=3)
    assert down == pytest.approx(height / 2, abs=3)


def test_interlaced_pictures_are_made_whole(tmp_path: Path) -> None:
    """A bar that runs across: each field shows it elsewhere, so rows of an untreated frame do not agree."""
    there = "between(X-mod(N*6,160),0,24)"
    bar = f"nullsrc=s=192x96:r=50:d=2,geq=lum='16+219*{there}':cb=128:cr=128"
    path = tmp_path / "il.mpg"
    options = ["-vf", "tinterlace=interleave_top,setfield=tff", "-c:v", "mpeg2video", "-flags", "+ilme+ildct"]
    run_ffmpeg("-f", "lavfi", "-i", bar, *options, "-b:v", "8M", str(path))
    frames = np.stack(list(iter_constant_rate(path, 25)))
    assert abs(len(frames) - 50) <= 1
    middle = frames[5:-5, 20:-20, :, 0].astype(int)
    comb = np.abs(2 * middle[:, 1:-1] - middle[:, :-2] - middle[:, 2:]).mean()
    assert comb < 8
    assert middle.std() > 40


@pytest.mark.parametrize("suffix", ["mkv", "webm"])
@pytest.mark.parametrize("late", [0, 2])
def test_longer_sound_is_no_damage(tmp_path: Path, suffix: str, late: float) -> None:
    source = make_video(tmp_path / f"a.{suffix}", seconds=4)
    path = tmp_path / f"b.{suffix}"
    shift = ["-itsoffset", str(late)] if late else ["-t", "1.5"]
    run_ffmpeg(*shift, "-i", str(source), "-i", str(source), "-map", "0:v", "-map", "1:a", "-c", "copy", str(path))
    info = probe(path)
    assert info.seconds == pytest.approx(4 if late else 1.5, abs=0.15)
    assert sum(1 for _ in iter_constant_rate(path, 25)) == pytest.approx(25 * info.seconds, abs=2)
    assert len(sample_frames(path, 5)) == 5
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match="damaged or"):
        probe(path)


def test_a_recording_of_a_browser_has_no_length(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "a.mkv", seconds=2)
    stream = run_ffmpeg("-i", str(whole), "-c", "copy", "-f", "matroska", "pipe:1")
    (tmp_path / "b.mkv").write_bytes(stream)
    assert probe(tmp_path / "b.mkv").seconds == pytest.approx(2, abs=0.05)
    assert len(sample_frames(tmp_path / "b.mkv", 5)) == 5


def test_a_picture_that_stays_in_theora(tmp_path: Path) -> None:
    path = tmp_path / "still.ogv"
    run_ffmpeg("-f", "lavfi", "-i", "color=gray:s=64x64:r=25:d=1", "-c:v", "libtheora", str(path))
    assert len(list(iter_constant_rate(path, 25))) == 25
    assert len(sample_frames(path, 5)) == 5


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
