"""The one way into a media file: containers of a fixed list, read through a handle, so that nothing else is opened.

FFmpeg takes any of 300 formats by their content, whatever a file is called, and some are lists of other files or
addresses: ffconcat, HLS and DASH playlists, SDP, image sequences.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from cospeech.utils.ffmpeg import MediaError

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

FORMATS = (
    *("aac", "ac3", "aiff", "amr", "asf", "au", "avi", "caf", "dv", "eac3", "flac", "flv", "matroska", "mov", "mp3"),
    *("mpeg", "mpegts", "mxf", "ogg", "w64", "wav", "wv"),
)
"""FFmpeg's names of the demuxers that may read a file; none opens another."""
LEAST_RATE = 8000
"""Hz, of sound; telephones have it. At lower rates a few samples last for hours, and fill memory once resampled."""
_LONGEST_FRAME = 1.0
"""Seconds of sound in one frame."""


@contextmanager
def open_media(source: Path | bytes) -> "Iterator[InputContainer]":
    """Open a file, or the bytes of one; every video and sound file is read through here.

    Raises:
        MediaError: of a format that is not in `FORMATS`.
        av.error.FFmpegError: of no format that is known, or damaged.
        OSError: the file cannot be read.
    """
    import av

    whole = BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    name = "the file" if isinstance(source, bytes) else str(source)
    with whole:
        try:
            container = av.open(whole, "r", options={"format_whitelist": ",".join(FORMATS), "protocol_whitelist": ""})
        except av.error.ArgumentError as error:
            raise MediaError(f"{name}: not of a format that is read ({', '.join(FORMATS)}), or damaged") from error
        with container:
            yield container


def sound_streams(container: "InputContainer") -> "list[av.AudioStream]":
    """Those that the file calls default first, else in its order."""
    from av.stream import Disposition

    return sorted(container.streams.audio, key=lambda stream: not stream.disposition & Disposition.default)


def sound_frames(container: "InputContainer", stream: "av.AudioStream | None" = None) -> "Iterator[av.AudioFrame]":
    """Decode an audio stream; None: the first of `sound_streams`.

    Raises:
        MediaError: its rate is under `LEAST_RATE`, or a frame lasts longer than a second.
    """
    for frame in container.decode(stream or sound_streams(container)[0]):
        if frame.sample_rate < LEAST_RATE:
            raise MediaError(f"sound of {frame.sample_rate} Hz; {LEAST_RATE} Hz or more can be read")
        if frame.samples > _LONGEST_FRAME * frame.sample_rate:
            seconds = frame.samples / frame.sample_rate
            raise MediaError(f"a piece of sound of {seconds:.1f} s; at most {_LONGEST_FRAME:g} s can be read at once")
        yield frame
