"""A visitor's voice as it arrives: pieces of a microphone, or a file."""

import queue
import threading
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from cospeech.serving.limits import Limits

if TYPE_CHECKING:
    import av

RATES = range(8_000, 192_001)
"""Hz, of microphones."""


class Resampler:
    """Mono sound at another rate, piece by piece."""

    def __init__(self, rate: int, target: int) -> None:
        """Both in Hz."""
        import av

        self._rate = rate
        self._resampler = av.AudioResampler("fltp", "mono", target) if rate != target else None

    def push(self, samples: np.ndarray) -> np.ndarray:
        """(S,) float32 -> about S * target / rate; what the filter still needs comes later."""
        import av

        if self._resampler is None or not len(samples):
            return samples
        sound = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None], np.float32), "fltp", "mono")
        sound.sample_rate = self._rate
        return _joined(self._resampler.resample(sound))

    def finish(self) -> np.ndarray:
        return _joined(self._resampler.resample(None)) if self._resampler else np.zeros(0, np.float32)


class Microphone:
    """PCM on its way from the network to the thread that draws; what waits is bounded."""

    def __init__(self, rate: int, limits: Limits) -> None:
        """rate: samples a second, of 16 bits."""
        self._rate, self._limits = rate, limits
        self._pieces: queue.SimpleQueue[np.ndarray | None] = queue.SimpleQueue()
        self._heard = self._taken = self._quiet = 0

    def put(self, data: bytes) -> None:
        """Takes 16-bit little-endian mono.

        Raises:
            ValueError: too much is waiting already.
        """
        samples = np.frombuffer(data, "<i2", len(data) // 2).astype(np.float32) / 32768
        if self._heard - self._taken + len(samples) > self._limits.behind_seconds * self._rate:
            raise ValueError(
                f"drawing has fallen {self._limits.behind_seconds:g} s behind your voice: this server is too slow, or "
                "too busy, for a live talk; a sound file can be drawn at any speed"
            )
        self._heard += len(samples)
        self._quiet = 0 if np.abs(samples).max(initial=0) > _LOUD else self._quiet + len(samples)
        self._pieces.put(samples)

    def over(self) -> str | None:
        """Why no more is heard, once that is so."""
        limits = self._limits
        if self._heard > limits.voice_seconds * self._rate:
            return f"The talk has lasted {limits.voice_seconds:g} s, which is the most at a time."
        if self._quiet > limits.quiet_seconds * self._rate:
            return f"Nobody has spoken for {limits.quiet_seconds:g} s, so the talk was ended."
        return None

    def end(self) -> None:
        """Nothing follows."""
        self._pieces.put(None)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Pieces (S,) float32, waiting for each; for one thread."""
        while (piece := self._pieces.get()) is not None:
            self._taken += len(piece)
            yield piece


class Upload:
    """A sound file on its way from the network to the thread that draws."""

    def __init__(self, rate: int, limits: Limits) -> None:
        """rate: Hz, that it is read at."""
        self._rate, self._limits = rate, limits
        self._data, self._whole = bytearray(), threading.Event()

    def put(self, data: bytes) -> None:
        """
        Raises:
            ValueError: the file is too large.
        """
        if len(self._data) + len(data) > self._limits.voice_bytes:
            raise ValueError(f"the sound file is larger than {self._limits.voice_bytes / 1e6:g} MB, which is the most")
        self._data += data

    def over(self) -> str | None:
        return None

    def end(self) -> None:
        self._whole.set()

    def __iter__(self) -> Iterator[np.ndarray]:
        """Pieces (S,) float32, once all has arrived; for one thread.

        Raises:
            ValueError: it did not arrive in time, or as `read_file`.
        """
        if not self._whole.wait(self._limits.upload_seconds):
            raise ValueError(f"the sound file did not arrive within {self._limits.upload_seconds:g} s")
        yield from read_file(bytes(self._data), self._rate, self._limits.voice_seconds)


def read_file(data: bytes, rate: int, longest: float) -> Iterator[np.ndarray]:
    """A sound file's voice as mono at `rate` Hz, in pieces of a tenth of a second. Read through once before the first
    piece is given, so that whatever is wrong is said before anything is drawn.

    Raises:
        ValueError: not sound, damaged, silent, or longer than `longest` seconds.
    """
    loudest, count = 0.0, 0
    for piece in _decoded(data, rate):
        loudest, count = max(loudest, float(np.abs(piece).max(initial=0))), count + len(piece)
        if count > longest * rate:
            raise ValueError(f"the sound is longer than {longest:g} s, which is the most that can be spoken at a time")
    if loudest < _FAINT:
        raise ValueError(
            f"nobody speaks in the sound file: its loudest of {count / rate:.1f} s is {loudest:.4f} of full scale, at "
            f"least {_FAINT} is needed"
        )
    waiting = np.zeros(0, np.float32)
    for piece in _decoded(data, rate):
        waiting = np.concatenate([waiting, piece])
        while len(waiting) >= rate // 10:
            yield waiting[: rate // 10]
            waiting = waiting[rate // 10 :]
    yield waiting


_LOUD = 0.01
"""-40 dB of full scale: louder is a voice in a microphone."""
_FAINT = 0.001
"""-60 dB: a file without anything louder is silent."""


def _decoded(data: bytes, rate: int) -> Iterator[np.ndarray]:
    import av

    if not data:
        raise ValueError("the sound file is empty (0 bytes)")
    try:
        with av.open(BytesIO(data), "r") as container:
            if not container.streams.audio:
                raise ValueError("the file holds no sound")
            resampler = av.AudioResampler("fltp", rate=rate)  # channels as they are: its own mono is louder than any
            for frame in container.decode(audio=0):
                frame.pts = None  # gaps are closed
                yield _joined(resampler.resample(frame))
            yield _joined(resampler.resample(None))
    except av.error.FFmpegError as error:
        raise ValueError(f"the sound file cannot be read ({error.strerror}); is it sound, and whole?") from error


def _joined(frames: "list[av.AudioFrame]") -> np.ndarray:
    """The mean of all channels."""
    return np.concatenate([np.zeros(0, np.float32), *(frame.to_ndarray().mean(0) for frame in frames)])
