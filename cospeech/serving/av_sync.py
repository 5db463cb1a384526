"""One talk: a voice goes in, the film of the person saying it comes out, frames and sound in step."""

from typing import Protocol

import numpy as np

from cospeech.serving.audio_input import Resampler
from cospeech.serving.mp4_stream import SAMPLE_RATE, Film

_AHEAD = SAMPLE_RATE // 10
"""Samples by which the sound leaves before its frames: browsers show no frame without its sound, and AAC keeps some."""


class Drawing(Protocol):
    """`cospeech.inference.session.Session`."""

    def push(self, samples: np.ndarray) -> np.ndarray: ...

    def finish(self) -> np.ndarray: ...


class Talk:
    """Frame t is shown while the voice from t / fps to (t + 1) / fps is heard. The voice is kept until its frames are
    drawn: as long as the drawing is behind, which waits in `hear` itself."""

    def __init__(self, drawing: Drawing, film: Film, rate: int, heard_rate: int, fps: int) -> None:
        """rate: of the samples that come in. heard_rate: that the drawing wants. Hz."""
        self._drawing, self._film = drawing, film
        self._played, self._heard = Resampler(rate, SAMPLE_RATE), Resampler(rate, heard_rate)
        self._each = SAMPLE_RATE // fps
        self._voice = np.zeros(0, np.float32)
        self._ahead = 0
        """Samples of the voice in the film beyond its last frame."""

    def hear(self, samples: np.ndarray) -> bytes:
        """Takes what was said next, (S,) float32 in -1..1; gives the next bytes of the film, maybe none."""
        self._keep(self._played.push(samples))
        return self._show(self._drawing.push(self._heard.push(samples)))

    def finish(self) -> bytes:
        """The voice has ended: the rest of the film."""
        self._keep(self._played.finish())
        shown = self._show(self._drawing.push(self._heard.finish()))
        return shown + self._show(self._drawing.finish(), ahead=0) + self._film.finish()

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
        return self._film.push(frames, sound)
