"""Turn a voice into an MP4 stream of the person saying it, with frames and sound in sync.

S samples, N frames.
"""

from typing import Protocol

import numpy as np

from cospeech.serving.audio_input import Resampler
from cospeech.serving.mp4_stream import SAMPLE_RATE, Mp4Stream

_AHEAD = SAMPLE_RATE // 10
"""Samples by which the sound is sent ahead of its frames: browsers show no frame before its sound, and AAC buffers."""


class FrameSource(Protocol):
    """Generates frames (N, H, W, 3) uint8 from a voice; `cospeech.inference.session.Session` is one."""

    def push(self, samples: np.ndarray) -> np.ndarray: ...

    def finish(self) -> np.ndarray: ...


class AvSync:
    """Frame t is shown while the voice from t / fps to (t + 1) / fps plays; the voice is buffered until then."""

    def __init__(self, source: FrameSource, stream: Mp4Stream, rate: int, heard_rate: int, fps: int) -> None:
        """rate: of the samples that are pushed, Hz. heard_rate: that `source` expects, Hz."""
        self._source, self._stream = source, stream
        self._played, self._heard = Resampler(rate, SAMPLE_RATE), Resampler(rate, heard_rate)
        self._each = SAMPLE_RATE // fps
        self._voice = np.zeros(0, np.float32)
        self._ahead = 0
        """Samples in the stream beyond its last frame."""

    def push(self, samples: np.ndarray) -> bytes:
        """Add the next samples, (S,) float32 in -1..1; return the next bytes of the stream, maybe none."""
        self._keep(self._played.push(samples))
        return self._show(self._source.push(self._heard.push(samples)))

    def finish(self) -> bytes:
        """End the voice; return the rest of the stream."""
        self._keep(self._played.finish())
        shown = self._show(self._source.push(self._heard.finish()))
        return shown + self._show(self._source.finish(), ahead=0) + self._stream.finish()

    def _keep(self, samples: np.ndarray) -> None:
        self._voice = np.concatenate([self._voice, samples])

    def _show(self, frames: np.ndarray, ahead: int = _AHEAD) -> bytes:
        lasts = len(frames) * self._each
        count = max(0, lasts + ahead - self._ahead)
        sound = self._voice[:count] if len(frames) else self._voice[:0]
        self._voice = self._voice[len(sound) :]
        self._ahead += len(sound) - lasts
        if not ahead:  # the last frame outlasts the voice
            sound, self._ahead = np.pad(sound, (0, -min(0, self._ahead))), 0
        return self._stream.push(frames, sound)
