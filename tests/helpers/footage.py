"""Source videos made with ffmpeg for the tests: a moving test picture with a tone, and a flash with a beep."""

import subprocess
from pathlib import Path

from cospeech.utils.ffmpeg import find_ffmpeg


def run_ffmpeg(*arguments: str) -> bytes:
    command = [find_ffmpeg().path, "-v", "error", "-y", *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout


def another_ffmpeg(path: Path, version: str) -> Path:
    """An ffmpeg of that version: the locked one under another name."""
    said = f'if [ "$1" = -version ]; then echo "ffmpeg version {version} by test"; exit; fi'
    path.write_text(f'#!/bin/sh\n{said}\nexec {find_ffmpeg().path} "$@"\n')
    path.chmod(0o755)
    return path


def make_video(
    path: Path,
    *output: str,
    size: str = "128x128",
    rate: str = "25",
    seconds: float = 1,
    sound: bool = True,
    picture: bool = True,
) -> Path:
    """`output`: further ffmpeg options of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    inputs = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}"] if picture else []
    inputs += ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={seconds}"] if sound else []
    run_ffmpeg(*inputs, "-pix_fmt", "yuv420p", *output, str(path))
    return path


def make_flash_and_beep(
    path: Path, rate: str = "25", at: float = 1.2, video_late: float = 0, audio_late: float = 0, drop: str = ""
) -> Path:
    """White picture and 1 kHz tone `at` seconds into the file, for 0.4 s; streams of 3 s that start late as told.

    `drop`: ffmpeg select expression of the frames that stay; makes the frame rate variable.
    """
    flash = f"color=black:s=96x96:r={rate}:d=3,drawbox=w=96:h=96:c=white:t=fill:enable='between(t,{at - video_late},"
    flash += f"{at - video_late + 0.4})'" + (f",select='{drop}'" if drop else "")
    begin = at - audio_late
    beep = f"aevalsrc='between(t,{begin},{begin + 0.4})*0.8*sin(2*PI*1000*t)':s=48000:d=3"
    video = ["-itsoffset", str(video_late), "-f", "lavfi", "-i", flash]
    audio = ["-itsoffset", str(audio_late), "-f", "lavfi", "-i", beep]
    run_ffmpeg(*video, *audio, "-pix_fmt", "yuv420p", "-fps_mode", "vfr", str(path))
    return path
