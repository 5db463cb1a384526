from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from cospeech.media import MediaError, contact_sheet, read_frames, read_speech, save_png, write_speech, write_video


def moving(count: int = 12, size: int = 64) -> np.ndarray:
    """A bright square that wanders over a ramp: (T, H, W, 3)."""
    frames = np.repeat(np.linspace(0, 200, size).astype(np.uint8)[None, None, :, None], count, 0)
    frames = np.ascontiguousarray(np.broadcast_to(frames, (count, size, size, 3)))
    for index in range(count):
        frames[index, 8:24, 2 * index : 2 * index + 16] = (250, 120, 30)
    return frames


def test_a_video_comes_back(tmp_path: Path) -> None:
    frames = moving()
    write_video(tmp_path / "a.mp4", frames, 25)
    back = read_frames(tmp_path / "a.mp4")
    assert back.shape == frames.shape
    assert np.abs(back.astype(int) - frames).mean() < 4


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    speech = np.sin(np.arange(12 * 640) / 7).astype(np.float32) / 2
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, moving(), 25, speech)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio"]
        assert abs(container.duration / 1e6 - 12 / 25) < 0.1


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, moving(), 25)
    before = path.read_bytes()
    with pytest.raises(MediaError, match="no frames"):
        write_video(path, [], 25)
    with pytest.raises(MediaError, match=r"64.*32"):
        write_video(path, [moving(1)[0], moving(1, 32)[0]], 25)
    with pytest.raises(MediaError, match="ffmpeg failed"):
        write_video(path, moving()[:, :63, :63], 25)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "No such file"),
        ("#!/bin/sh\necho sox 14.4", "exit code 0 and 'sox 14.4'"),
        ("#!/bin/sh\necho 'ffmpeg version 5.1'; exit 3", "exit code 3"),
    ],
)
def test_what_is_no_ffmpeg_is_told(tmp_path: Path, script: str | None, said: str) -> None:
    binary = tmp_path / "ffmpeg"
    if script:
        binary.write_text(script + "\n")
        binary.chmod(0o755)
    with pytest.raises(MediaError, match=rf"{binary}: .*{said}.*media\.ffmpeg"):
        write_video(tmp_path / "a.mp4", moving(), 25, binary=binary)
    assert not (tmp_path / "a.mp4").exists()


def test_speech_comes_back_to_the_bit(tmp_path: Path) -> None:
    pcm = np.array([-32768, -1, 0, 1, 32767], np.float32) / 32768
    write_speech(tmp_path / "a.wav", pcm, 16000)
    back, rate = read_speech(tmp_path / "a.wav")
    assert rate == 16000
    assert np.array_equal(back, pcm)
    write_speech(tmp_path / "loud.wav", np.array([-3.0, 3.0]), 16000)
    assert read_speech(tmp_path / "loud.wav")[0].tolist() == [-1.0, 32767 / 32768]


def test_what_is_not_speech_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(MediaError, match="WAV"):
        read_speech(tmp_path / "a.wav")


def test_contact_sheet_and_png(tmp_path: Path) -> None:
    pictures = np.stack([np.full((4, 6, 3), value, np.uint8) for value in (10, 20, 30)])
    sheet = contact_sheet(pictures, 2)
    assert sheet.shape == (8, 12, 3)
    assert [sheet[0, 0, 0], sheet[0, 6, 0], sheet[4, 0, 0], sheet[4, 6, 0]] == [10, 20, 30, 0]
    sheet[..., 0] = 200
    save_png(tmp_path / "sheet.png", sheet)
    assert np.array_equal(cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1], sheet)
