"""Read and write frames of video files.

Axes: T frames, H height, W width; RGB uint8 everywhere.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from cospeech.harness.files import atomic_path
from cospeech.media.container import open_media
from cospeech.media.picture import shown, video_frames
from cospeech.media.sound import write_speech
from cospeech.utils.ffmpeg import MediaError, find_ffmpeg


@dataclass(frozen=True)
class SourceInfo:
    """Header of a video file.

    width, height: pixels as displayed (upright, square pixels). fps: mean frame rate. seconds: length of the video.
    start: presentation time of the first frame, seconds. audio: whether there is an audio stream.
    """

    width: int
    height: int
    fps: float
    seconds: float
    start: float
    audio: bool


def probe(path: Path) -> SourceInfo:
    """Read a file's header and decode its first frame.

    Raises:
        MediaError: the file is absent, empty or damaged, or holds no video.
    """
    import av

    if not path.is_file():
        raise MediaError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise MediaError(f"{path}: the file is empty (0 bytes)")
    try:
        with open_media(path) as container:
            if not container.streams.video:
                kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
                raise MediaError(f"{path}: no video stream (it holds {kinds})")
            stream = container.streams.video[0]
            frame = next(video_frames(container), None)
            if frame is None:
                raise MediaError(f"{path}: no frame could be decoded")
            height, width = shown(frame, stream.sample_aspect_ratio).shape[:2]
            start, length = frame.time or 0.0, _seconds(path, stream)
            rate = float(stream.average_rate or stream.guessed_rate or 0)
            return SourceInfo(width, height, rate, length, start, bool(container.streams.audio))
    except (av.error.FFmpegError, UnicodeDecodeError) as error:
        raise MediaError(f"{path}: not a readable video ({_plain(error)}); is it damaged or cut off?") from error


def iter_frames(path: Path) -> Iterator[np.ndarray]:
    """Yield the frames (H, W, 3) of a clip in order."""
    for _, frame in iter_timed_frames(path):
        yield frame


def read_frames(path: Path) -> np.ndarray:
    """Return all frames of a clip, (T, H, W, 3)."""
    return np.stack(list(iter_frames(path)))


def iter_timed_frames(path: Path) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (presentation time in seconds, upright frame) in order.

    Raises:
        MediaError: the file is damaged; the frames before the damage have been yielded.
    """
    import av

    try:
        with open_media(path) as container:
            stream = container.streams.video[0]
            stream.thread_type = "SLICE"
            first = last = None
            for index, frame in enumerate(video_frames(container)):
                time = index / 25 if frame.time is None else frame.time
                first = time if first is None else first
                if last is not None and time < last - _JUMP:
                    raise MediaError(
                        f"{path}: the time stamps of the picture start again {last - first:.2f} s into the video: two "
                        "recordings in one file? Split it there"
                    )
                last = time
                yield time, shown(frame, stream.sample_aspect_ratio)
    except (av.error.FFmpegError, IndexError) as error:
        raise MediaError(f"{path}: decoding stopped ({_plain(error)}); is the file damaged or cut off?") from error


def sample_frames(path: Path, count: int) -> list[np.ndarray]:
    """Return about `count` upright frames, evenly spaced; fewer if the video is short or truncated.

    Raises:
        MediaError: no frame could be decoded.
    """
    import av

    frames: list[np.ndarray] = []
    try:
        with open_media(path) as container:
            stream = container.streams.video[0]
            length, start = _seconds(path, stream), None
            for frame in video_frames(container):  # decode every frame: a seek would land on one of few key frames
                start = frame.time if start is None else start
                if (frame.time or 0) - (start or 0) >= length * (len(frames) + 0.5) / count:
                    frames.append(shown(frame, stream.sample_aspect_ratio))
    except (av.error.FFmpegError, IndexError) as error:
        if not frames:
            raise MediaError(f"{path}: decoding stopped ({_plain(error)}); is the file damaged or cut off?") from error
    return frames


def iter_constant_rate(path: Path, fps: int) -> Iterator[np.ndarray]:
    """Resample a video to a constant frame rate: yield the frame that is on screen in the middle of each interval.

    Time runs from the first frame's presentation time. A source that has this rate passes through frame by frame.

    Raises:
        MediaError: as `iter_timed_frames`.
    """
    frames = iter_timed_frames(path)
    start, shown = next(frames)
    last, lasts, count = start, 1 / fps, 0
    for time, frame in frames:
        while start + (count + 0.5) / fps < time:
            yield shown
            count += 1
        last, lasts, shown = time, time - last, frame
    while start + (count + 0.5) / fps < last + lasts - 1e-6:  # the last frame lasts as long as the one before it
        yield shown
        count += 1


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    fps: int,
    speech: np.ndarray | Path | None = None,
    sample_rate: int = 16000,
    binary: Path | None = None,
) -> None:
    """Write H.264 (yuv420p), with AAC sound if speech is given. Equal input gives equal bytes.

    Args:
        frames: (H, W, 3) uint8 each, all of one size, with even sides.
        speech: (S,) float in -1..1 at `sample_rate`, or a WAV file, which has its own rate.
        binary: an ffmpeg to use instead of the pinned one.

    Raises:
        MediaError: there are no frames, their sizes differ or are odd, or ffmpeg fails.
    """
    import ffmpeg

    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise MediaError(f"{path}: no frames to write")
    height, width = first.shape[:2]
    with TemporaryDirectory() as folder, atomic_path(path) as temporary:
        raw = {"format": "rawvideo", "pix_fmt": "rgb24", "s": f"{width}x{height}", "r": fps}
        streams = [ffmpeg.input("pipe:", protocol_whitelist="pipe", **raw)]
        settings = {"vcodec": "libx264", "pix_fmt": "yuv420p", "crf": 16, "preset": "medium", "threads": 1}
        if speech is not None:
            if isinstance(speech, np.ndarray):
                write_speech(Path(folder) / "speech.wav", speech, sample_rate)
                speech = Path(folder) / "speech.wav"
            streams.append(ffmpeg.input(f"file:{speech}", format="wav", protocol_whitelist="file"))
            settings |= {"acodec": "aac", "b:a": "96k"}
        quiet = {"fflags": "+bitexact", "flags": "+bitexact", "map_metadata": -1, "movflags": "+faststart"}
        job = ffmpeg.output(*streams, f"file:{temporary}", loglevel="error", **settings, **quiet)
        program = find_ffmpeg(binary).path
        process = ffmpeg.run_async(job, cmd=program, pipe_stdin=True, pipe_stderr=True, overwrite_output=True)
        _feed(process, path, first, frames)


def _feed(process, path: Path, first: np.ndarray, frames: Iterator[np.ndarray]) -> None:  # type: ignore[no-untyped-def]
    try:
        process.stdin.write(np.ascontiguousarray(first).tobytes())
        for frame in frames:
            if frame.shape != first.shape:
                raise MediaError(f"{path}: frames of sizes {first.shape[:2]} and {frame.shape[:2]} in one video")
            process.stdin.write(np.ascontiguousarray(frame).tobytes())
    except BrokenPipeError:
        pass  # ffmpeg has exited; its message is read below
    except BaseException:
        process.kill()
        raise
    finally:
        _, message = process.communicate()
    if process.returncode:
        raise MediaError(f"{path}: ffmpeg failed: {message.decode(errors='replace').strip()[-300:]}")


def _seconds(path: Path, stream) -> float:  # type: ignore[no-untyped-def]
    """Return the length of a video stream, from its packets where the file has none (Matroska, WebM, FLV).

    Raises:
        MediaError: the packets end long before the file's own length.
    """
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    import av

    first, last, reached = float("inf"), 0.0, 0.0
    with open_media(path) as container:
        try:
            for packet in container.demux():
                if packet.pts is not None:
                    begins = float(packet.pts * packet.time_base)
                    ends = begins + float((packet.duration or 0) * packet.time_base)
                    reached = max(reached, ends)
                    if packet.stream.index == stream.index:
                        first, last = min(first, begins), max(last, ends)
        except av.error.FFmpegError:
            pass  # cut off
        said = (container.duration or 0) / 1_000_000
    if reached < _LEAST_READ * said:
        raise MediaError(f"{path}: damaged or truncated: {reached:.2f} s of {said:.2f} s can be read")
    return max(last - first, 0.0)


_LEAST_READ = 0.9
_JUMP = 1.0
"""Seconds back in time that are no disorder of frames but another recording."""


def _plain(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
