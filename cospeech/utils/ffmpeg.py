"""Find the ffmpeg binary: the one that requirements.lock pins, or the one that params.yaml names; never one on PATH."""

import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path


class MediaError(ValueError):
    """A video or sound file cannot be read or written; the message names the file and the reason."""


@dataclass(frozen=True)
class Ffmpeg:
    """A working ffmpeg binary. version: as `ffmpeg -version` prints it."""

    path: str
    version: str


@cache
def find_ffmpeg(chosen: Path | None = None) -> Ffmpeg:
    """Return the pinned binary, or the `chosen` one.

    Raises:
        MediaError: the binary is absent or is not a working ffmpeg.
    """
    path = _locked() if chosen is None else chosen.expanduser().absolute()
    try:
        said = subprocess.run([path, "-version"], capture_output=True, text=True, errors="replace")
        why = f"exit code {said.returncode} and {(said.stdout + said.stderr).strip()[:80]!r} for -version"
        version = None if said.returncode else re.match(r"ffmpeg version (\S+)", said.stdout)
    except OSError as error:
        why, version = str(error.strerror), None
    if version is None:
        raise MediaError(
            f"{path}: not a working ffmpeg ({why}); set media.ffmpeg in params.yaml to the path of a binary, or to "
            "null for the one that requirements.lock pins"
        )
    return Ffmpeg(str(path), version[1])


def _locked() -> Path:
    """Return the binary of imageio-ffmpeg. Its `get_ffmpeg_exe` would follow an environment variable, then PATH."""
    import imageio_ffmpeg

    folder = Path(imageio_ffmpeg.__file__).parent / "binaries"
    found = sorted(folder.glob("ffmpeg-*"))
    if len(found) != 1:
        raise MediaError(
            f"{folder}: {len(found)} ffmpeg binaries, expected 1; run `make env` again. If imageio-ffmpeg ships none "
            "for this system, set media.ffmpeg in params.yaml to the path of one"
        )
    return found[0]
