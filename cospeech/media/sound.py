"""Read and write speech as 16-bit PCM WAV; decode sound from any file."""

import wave
from pathlib import Path

import numpy as np

from cospeech.harness.files import atomic_path
from cospeech.media.container import open_media, sound_frames
from cospeech.utils.ffmpeg import MediaError


def read_speech(path: Path) -> tuple[np.ndarray, int]:
    """Read a mono 16-bit WAV file: samples (S,) float32 in -1..1, and the rate in Hz.

    Raises:
        MediaError: the file is damaged or has another layout.
    """
    try:
        with wave.open(str(path), "rb") as stream:
            layout = (stream.getnchannels(), stream.getsampwidth())
            if layout != (1, 2):
                raise MediaError(f"{path}: {layout[0]} channels of {8 * layout[1]} bit, expected 1 channel of 16 bit")
            samples = np.frombuffer(stream.readframes(stream.getnframes()), "<i2")
            return samples.astype(np.float32) / 32768, stream.getframerate()
    except (wave.Error, EOFError) as error:
        raise MediaError(f"{path}: not a complete WAV file ({error})") from error


def write_speech(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    """Write (S,) float as mono 16-bit WAV; values outside -1..1 are clipped."""
    pcm = np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2")
    with atomic_path(path) as temporary, wave.open(str(temporary), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(sample_rate)
        stream.writeframes(pcm.tobytes())


def decode_speech(path: Path, sample_rate: int, start: float, seconds: float) -> np.ndarray:
    """Decode the first audio stream as mono, aligned to the video by its time stamps.

    Args:
        start: presentation time of sample 0 (the first video frame), seconds. Earlier sound is cut; silence fills the
            gap where the stream starts later or ends early.

    Returns:
        (round(seconds * sample_rate),) float32 in -1..1.

    Raises:
        MediaError: the audio stream is damaged, or of a rate that cannot be read.
    """
    import av

    track = np.zeros(round(seconds * sample_rate), np.float32)
    with open_media(path) as container:
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=sample_rate)
        place: int | None = None
        try:
            for frame in sound_frames(container):
                if place is None:
                    first = start if frame.time is None else frame.time
                    place = round((first - start) * sample_rate)
                place = _put(track, resampler.resample(frame), place)
                if place >= len(track):
                    return track
        except av.error.FFmpegError as error:
            reached = max(place or 0, 0) / sample_rate
            raise MediaError(f"{path}: the audio stream is damaged {reached:.2f} s into the video") from error
        _put(track, resampler.resample(None), place or 0)
    return track


def _put(track: np.ndarray, frames: list, place: int) -> int:
    for frame in frames:
        samples = frame.to_ndarray()[0]
        begin, end = max(place, 0), min(place + len(samples), len(track))
        if begin < end:
            track[begin:end] = samples[begin - place : end - place]
        place += len(samples)
    return place
