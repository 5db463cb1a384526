"""Open media files of a fixed list of formats, through a file handle, so that no other file is opened.

FFmpeg detects 300 formats by content, whatever a file's name, and some of them list other files or addresses: ffconcat,
HLS and DASH playlists, SDP, image sequences.
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
"""FFmpeg's names of the accepted demuxers; none of them opens another file."""
MIN_RATE = 8000
"""Minimum sample rate, Hz, that of telephones. At lower rates a few samples could last hours and fill memory."""
_MAX_FRAME_SECONDS = 1.0
"""Maximum length of one audio frame."""


@contextmanager
def open_media(source: Path | bytes) -> "Iterator[InputContainer]":
    """Open a file, or the bytes of one. Every video and sound file is read through this function.

    Raises:
        MediaError: the format is not in `FORMATS`.
        av.error.FFmpegError: the format is unknown, or the file is damaged.
        OSError: the file cannot be read.
    """
    import av

    stream = BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    name = "the file" if isinstance(source, bytes) else str(source)
    with stream:
        try:
            container = av.open(stream, "r", options={"format_whitelist": ",".join(FORMATS), "protocol_whitelist": ""})
        except av.error.ArgumentError as error:
            raise MediaError(f"{name}: damaged, or not one of the formats {', '.join(FORMATS)}") from error
        with container:
            yield container


def sound_streams(container: "InputContainer") -> "list[av.AudioStream]":
    """Return the audio streams, those marked as default first, otherwise in the file's order."""
    from av.stream import Disposition

    return sorted(container.streams.audio, key=lambda stream: not stream.disposition & Disposition.default)


def sound_frames(container: "InputContainer", stream: "av.AudioStream | None" = None) -> "Iterator[av.AudioFrame]":
    """Decode an audio stream, by default the first of `sound_streams`.

    Raises:
        MediaError: its rate is below `MIN_RATE`, or a frame lasts longer than a second.
    """
    for frame in container.decode(stream or sound_streams(container)[0]):
        if frame.sample_rate < MIN_RATE:
            raise MediaError(f"the sound has {frame.sample_rate} Hz; it must have at least {MIN_RATE} Hz")
        if frame.samples > _MAX_FRAME_SECONDS * frame.sample_rate:
            seconds = frame.samples / frame.sample_rate
            raise MediaError(f"an audio frame lasts {seconds:.1f} s; the limit is {_MAX_FRAME_SECONDS:g} s")
        yield frame
