"""The ffmpeg binary: the one that requirements.lock fixes, or one that params.yaml names. PATH is never asked."""

import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path


class MediaError(ValueError):
    """A file that cannot be read or written as video or sound; the message says which and why."""


@dataclass(frozen=True)
class Ffmpeg:
    """version: what the binary calls itself."""

    path: str
    version: str


@cache
def find_ffmpeg(chosen: Path | None = None) -> Ffmpeg:
    """The locked binary, or the `chosen` one.

    Raises:
        MediaError: it is absent, or is no ffmpeg.
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
            f"{path}: not an ffmpeg that runs here ({why}); media.ffmpeg in params.yaml takes the path of a binary, "
            "or null for the one that requirements.lock fixes"
        )
    return Ffmpeg(str(path), version[1])


def _locked() -> Path:
    """Not by `get_ffmpeg_exe`, which an environment variable leads elsewhere, and at last to PATH."""
    import imageio_ffmpeg

    folder = Path(imageio_ffmpeg.__file__).parent / "binaries"
    found = sorted(folder.glob("ffmpeg-*"))
    if len(found) != 1:
        raise MediaError(
            f"{folder}: {len(found)} ffmpeg binaries, 1 expected; run `make env` again, or, if imageio-ffmpeg has none "
            "for this system, name one under media.ffmpeg in params.yaml"
        )
    return found[0]
