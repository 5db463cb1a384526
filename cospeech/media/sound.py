"""Read and write speech as 16-bit PCM WAV; decode sound from any file."""

import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cospeech.harness.files import atomic_path
from cospeech.media.container import open_media, sound_frames, sound_streams
from cospeech.media.downmix import Downmix
from cospeech.utils.ffmpeg import MediaError

if TYPE_CHECKING:
    import av


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


@dataclass(frozen=True)
class DecodedSpeech:
    """Speech aligned to its video.

    samples: (S,) float32 in -1..1. gaps: (start, end) in seconds of the video where the stream has no sound. stream:
    number of the sound track, from 1. streams: number of sound tracks in the file.
    """

    samples: np.ndarray
    gaps: list[tuple[float, float]]
    stream: int
    streams: int

    @property
    def notes(self) -> list[str]:
        """Notes for people: the track that was used, and gaps."""
        notes = [f"sound track {self.stream} of {self.streams}"] if self.streams > 1 else []
        long = [(begin, end) for begin, end in self.gaps if end - begin >= _LONG_GAP]
        notes += [f"no sound from {begin:.2f} s to {end:.2f} s" for begin, end in long[:_LISTED_GAPS]]
        if len(long) > _LISTED_GAPS:
            notes.append(f"{len(long) - _LISTED_GAPS} more gaps in the sound")
        if short := [end - begin for begin, end in self.gaps if end - begin < _LONG_GAP]:
            notes.append(f"{len(short)} short gaps in the sound, {sum(short):.2f} s in all")
        return notes


_LONG_GAP = 0.04
"""Minimum length of a gap that is listed, seconds: a frame of video."""
_LISTED_GAPS = 5
"""Maximum number of gaps that are listed."""
_JITTER = 0.006
"""Error of a time stamp, seconds, that does not count as a gap: files round time stamps to 1 ms."""
_JUMP = 1.0
"""Step back in time, seconds, that starts another recording and is not an overlap."""
_SILENCE_LEVEL = 1e-3
"""-60 dB of full scale: a track without a louder sample counts as silent."""


def decode_speech(path: Path, sample_rate: int, start: float, seconds: float) -> DecodedSpeech:
    """Decode the default sound track as mono, aligned by its time stamps; a silent track is skipped for the next one.

    Args:
        start: presentation time of sample 0 (the first video frame), seconds. Earlier sound is cut; silence fills gaps,
            also at the start and the end; where pieces overlap, the earlier one is kept.

    Returns:
        Speech with `samples` of shape (round(seconds * sample_rate),).

    Raises:
        MediaError: the sound is damaged, its rate is too low, or its time stamps start again.
    """
    with open_media(path) as container:
        order = [container.streams.audio.index(stream) for stream in sound_streams(container)]
    tracks: list[DecodedSpeech] = []
    for index in order:
        track = _decode_stream(path, index, _Track(sample_rate, start, seconds))
        tracks.append(DecodedSpeech(track.samples, track.gaps, index + 1, len(order)))
        if np.abs(track.samples).max(initial=0) > _SILENCE_LEVEL:
            return tracks[-1]
    return tracks[0]


def _decode_stream(path: Path, index: int, track: "_Track") -> "_Track":
    import av

    with open_media(path) as container:
        try:
            for frame in sound_frames(container, container.streams.audio[index]):
                track.add(frame)
                if track.whole:
                    return track
        except av.error.FFmpegError as error:
            raise MediaError(f"{path}: the audio stream is damaged {track.reached:.2f} s into the video") from error
        track.flush()
    return track


class _Track:
    """Place pieces of sound by their time stamps; consecutive pieces are resampled together."""

    def __init__(self, rate: int, start: float, seconds: float) -> None:
        self.samples = np.zeros(round(seconds * rate), np.float32)
        self.gaps: list[tuple[float, float]] = []
        self._rate, self._start = rate, start
        self._downmix = Downmix()
        self._resampler: av.AudioResampler | None = None
        self._own_rate, self._ends = 0, start  # of the stream: Hz; presentation time
        self._place = self._filled = 0

    @property
    def whole(self) -> bool:
        return self._place >= len(self.samples)

    @property
    def reached(self) -> float:
        """Seconds into the video."""
        return max(self._place, 0) / self._rate

    def add(self, frame: "av.AudioFrame") -> None:
        time = self._ends if frame.time is None else frame.time
        resampler = self._resampler
        if resampler is None or abs(time - self._ends) > _JITTER or frame.sample_rate != self._own_rate:
            resampler = self._begin(time, frame.sample_rate)
        self._ends += frame.samples / frame.sample_rate
        self._put(resampler.resample(self._downmix.mix(frame)))

    def flush(self) -> None:
        if self._resampler is not None:
            self._put(self._resampler.resample(None))

    def _begin(self, time: float, own_rate: int) -> "av.AudioResampler":
        import av

        if self._resampler is not None:
            self.flush()
            if time < self._ends - _JUMP:
                raise MediaError(
                    f"the time stamps of the sound start again {self._ends - self._start:.2f} s into the video; if the "
                    "file holds two recordings, split it there"
                )
            if time > self._ends:
                self.gaps.append((self._ends - self._start, time - self._start))
        self._resampler = av.AudioResampler(format="fltp", layout="mono", rate=self._rate)
        self._own_rate, self._ends = own_rate, time
        self._place = round((time - self._start) * self._rate)
        return self._resampler

    def _put(self, frames: "list[av.AudioFrame]") -> None:
        for frame in frames:
            samples = frame.to_ndarray()[0]
            begin, end = max(self._place, self._filled), min(self._place + len(samples), len(self.samples))
            if begin < end:
                self.samples[begin:end] = samples[begin - self._place : end - self._place]
                self._filled = end
            self._place += len(samples)
