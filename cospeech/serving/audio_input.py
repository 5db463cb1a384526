"""Receive a visitor's voice: chunks of a microphone, or a file.

S samples.
"""

import queue
import threading
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from cospeech.media import Downmix, open_media, sound_frames
from cospeech.serving.limits import Limits

if TYPE_CHECKING:
    import av

RATES = range(8_000, 192_001)
"""Accepted sample rates of microphones, Hz."""
_SPEECH_LEVEL = 0.01
"""-40 dB of full scale: a louder chunk counts as speech."""
_SILENCE_LEVEL = 0.001
"""-60 dB of full scale: a file without a louder sample counts as silent."""


class Resampler:
    """Resample mono sound chunk by chunk."""

    def __init__(self, rate: int, target: int) -> None:
        """rate, target: Hz."""
        import av

        self._rate = rate
        self._resampler = av.AudioResampler("fltp", "mono", target) if rate != target else None

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Resample (S,) float32; return about S * target / rate samples, the rest later."""
        import av

        if self._resampler is None or not len(samples):
            return samples
        sound = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None], np.float32), "fltp", "mono")
        sound.sample_rate = self._rate
        return _joined(self._resampler.resample(sound))

    def finish(self) -> np.ndarray:
        """Return the samples that the filter still holds."""
        return _joined(self._resampler.resample(None)) if self._resampler else np.zeros(0, np.float32)


class Microphone:
    """Pass a microphone's PCM from the network to the thread that generates, with a bounded buffer."""

    def __init__(self, rate: int, limits: Limits) -> None:
        """rate: Hz."""
        self._rate, self._limits = rate, limits
        self._pieces: queue.SimpleQueue[np.ndarray | None] = queue.SimpleQueue()
        self._heard = self._taken = self._quiet = 0

    def put(self, data: bytes) -> None:
        """Add 16-bit little-endian mono samples.

        Raises:
            ValueError: the buffer is full.
        """
        samples = np.frombuffer(data, "<i2", len(data) // 2).astype(np.float32) / 32768
        if self._heard - self._taken + len(samples) > self._limits.behind_seconds * self._rate:
            raise ValueError(
                f"the video is {self._limits.behind_seconds:g} s behind your voice: this server is too slow or too "
                "busy for a live talk; use a sound file, which needs no particular speed"
            )
        self._heard += len(samples)
        self._quiet = 0 if np.abs(samples).max(initial=0) > _SPEECH_LEVEL else self._quiet + len(samples)
        self._pieces.put(samples)

    def stop_reason(self) -> str | None:
        """Return why the talk must end, or None."""
        limits = self._limits
        if self._heard > limits.voice_seconds * self._rate:
            return f"The talk has lasted {limits.voice_seconds:g} s, the limit."
        if self._quiet > limits.quiet_seconds * self._rate:
            return f"The talk has ended because nobody spoke for {limits.quiet_seconds:g} s."
        return None

    def end(self) -> None:
        """Mark the end of the voice."""
        self._pieces.put(None)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield chunks (S,) float32, waiting for each; for one thread."""
        while (piece := self._pieces.get()) is not None:
            self._taken += len(piece)
            yield piece


class Upload:
    """Pass an uploaded sound file from the network to the thread that generates."""

    def __init__(self, rate: int, limits: Limits) -> None:
        """rate: to decode to, Hz."""
        self._rate, self._limits = rate, limits
        self._data, self._whole = bytearray(), threading.Event()

    def put(self, data: bytes) -> None:
        """Add bytes of the file.

        Raises:
            ValueError: the file is too large.
        """
        if len(self._data) + len(data) > self._limits.voice_bytes:
            raise ValueError(f"the sound file is larger than {self._limits.voice_bytes / 1e6:g} MB, the limit")
        self._data += data

    def stop_reason(self) -> str | None:
        """Return None: a file has no reason to end early."""
        return None

    def end(self) -> None:
        """Mark the file as complete."""
        self._whole.set()

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield chunks (S,) float32 once the file is complete; for one thread.

        Raises:
            ValueError: the file did not arrive in time, or as `decode_voice`.
        """
        if not self._whole.wait(self._limits.upload_seconds):
            raise ValueError(f"the sound file did not arrive within {self._limits.upload_seconds:g} s")
        yield from decode_voice(bytes(self._data), self._rate, self._limits.voice_seconds)


def decode_voice(data: bytes, rate: int, max_seconds: float) -> Iterator[np.ndarray]:
    """Decode a sound file to mono at `rate` Hz; yield chunks of a tenth of a second, (S,) float32.

    The whole file is decoded once before the first chunk, so that errors come before any frame is generated.

    Raises:
        ValueError: the file is not sound, is damaged or silent, or is longer than `max_seconds`.
    """
    loudest, count = 0.0, 0
    for piece in _decoded(data, rate, max_seconds):
        loudest, count = max(loudest, float(np.abs(piece).max(initial=0))), count + len(piece)
    if loudest < _SILENCE_LEVEL:
        raise ValueError(
            f"the sound file is silent: its peak over {count / rate:.1f} s is {loudest:.4f} of full scale, under "
            f"{_SILENCE_LEVEL}"
        )
    waiting = np.zeros(0, np.float32)
    for piece in _decoded(data, rate, max_seconds):
        waiting = np.concatenate([waiting, piece])
        while len(waiting) >= rate // 10:
            yield waiting[: rate // 10]
            waiting = waiting[rate // 10 :]
    yield waiting


def _decoded(data: bytes, rate: int, max_seconds: float) -> Iterator[np.ndarray]:
    import av

    if not data:
        raise ValueError("the sound file is empty (0 bytes)")
    try:
        with open_media(data) as container:
            if not container.streams.audio:
                raise ValueError("the file has no audio stream")
            downmix, resampler = Downmix(), av.AudioResampler("fltp", "mono", rate)
            seconds = Fraction(0)
            for frame in sound_frames(container):
                seconds += Fraction(frame.samples, frame.sample_rate)
                if seconds > max_seconds:
                    raise ValueError(f"the sound is longer than {max_seconds:g} s, the limit")
                mono = downmix.mix(frame)
                mono.pts = None  # close gaps
                yield _joined(resampler.resample(mono))
            yield _joined(resampler.resample(None))
    except av.error.FFmpegError as error:
        raise ValueError(f"the sound file cannot be decoded ({error.strerror}); is it complete?") from error


def _joined(frames: "list[av.AudioFrame]") -> np.ndarray:
    """Join mono pieces, (S,) float32."""
    return np.concatenate([np.zeros(0, np.float32), *(frame.to_ndarray()[0] for frame in frames)])
