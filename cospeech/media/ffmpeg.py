"""The ffmpeg binary: the system's if there is one, else the one that imageio-ffmpeg brings."""

import shutil
from functools import cache


class MediaError(ValueError):
    """A file that cannot be read or written as video or sound; the message says which and why."""


@cache
def ffmpeg_path() -> str:
    system = shutil.which("ffmpeg")
    if system:
        return system
    from imageio_ffmpeg import get_ffmpeg_exe

    return get_ffmpeg_exe()
