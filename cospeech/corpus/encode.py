"""Encode a clip as mp4 (H.264 and AAC) without dates, so that equal clips give equal bytes."""

import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np

from cospeech.corpus.clip import FPS, Clip
from cospeech.corpus.speech_synthesis import SAMPLE_RATE
from cospeech.harness.files import atomic_path
from cospeech.utils.ffmpeg import find_ffmpeg


def write_clip(path: Path, clip: Clip, crf: int, speech_rate: str) -> None:
    """Write an mp4 with frames at constant quality `crf` and speech at `speech_rate` bits per second.

    Raises:
        subprocess.CalledProcessError: ffmpeg failed.
    """
    height, width = clip.frames.shape[1:3]
    with tempfile.TemporaryDirectory() as folder, atomic_path(path) as temporary:
        speech = Path(folder) / "speech.wav"
        _write_wave(speech, clip.speech.samples)
        command = [
            *(find_ffmpeg().path, "-loglevel", "error", "-y"),
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(FPS)),
            *("-protocol_whitelist", "pipe", "-i", "pipe:"),
            *("-f", "wav", "-protocol_whitelist", "file", "-i", f"file:{speech}"),
            *("-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact"),
            *("-vf", "scale=out_color_matrix=bt709:out_range=tv", "-colorspace", "bt709", "-color_primaries", "bt709"),
            *("-color_trc", "bt709", "-c:v", "libx264", "-preset", "slow", "-crf", str(crf), "-pix_fmt", "yuv420p"),
            *("-threads", "1", "-c:a", "aac", "-b:a", speech_rate, "-flags:a", "+bitexact"),
            *("-movflags", "+faststart", f"file:{temporary}"),
        ]
        subprocess.run(command, input=clip.frames.tobytes(), check=True)


def _write_wave(path: Path, samples: np.ndarray) -> None:
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(SAMPLE_RATE)
        stream.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
