"""Motion drawn from the voice while it is spoken."""

import itertools

import numpy as np
import torch

from ..audio.mel import SILENCE
from ..utils.euler import euler_step
from .blinks import Blinker
from .model import MotionModel
from .representation import LIDS, POSTURE, describe, pose


class MotionStream:
    """Keypoints for speech that is still being said, in memory that does not grow.

    A frame is decided once the `lookahead` frames of speech after it are heard. How the speech is cut into pieces
    changes nothing.

    Args:
        reference: (133, 2) keypoints of the person at rest, pixels; the motion starts from it and is in its pixels.
        steps: Euler steps from noise to motion.
    """

    def __init__(self, model: MotionModel, reference: np.ndarray, steps: int, seed: int) -> None:
        self._model, self._reference = model, reference
        posture, lips = (torch.from_numpy(part)[None] for part in describe(reference))
        self._still, self._lips, self._first = posture, lips, model.look(posture)
        self._times = torch.linspace(1, 0, steps + 1).tolist()
        self._generator = torch.Generator().manual_seed(seed)
        self._blinker = Blinker(model.blinking, posture[0].numpy(), seed)
        self._mel = _silence(model, model.span - 1 - self.lookahead)
        self._state: torch.Tensor | None = None
        self._moved = torch.zeros(1, POSTURE)
        self._chunk, self._used = self._moved[None], 1

    @property
    def lookahead(self) -> int:
        """Frames of speech that are heard beyond a frame before it is decided."""
        return self._model.config.lookahead

    def push(self, mel: np.ndarray) -> np.ndarray:
        """(T, 4, 80) log-mel of the next frames of speech -> keypoints (N, 133, 2) of the frames now decided."""
        self._mel = torch.cat([self._mel, torch.from_numpy(mel)[None]], 1)
        if self._mel.shape[1] < self._model.span:
            return np.zeros((0, *self._reference.shape), np.float32)
        keypoints = self._decide(self._mel)
        self._mel = self._mel[:, 1 - self._model.span :]
        return keypoints

    def finish(self) -> np.ndarray:
        """Keypoints of the frames still undecided, with silence after them."""
        return self.push(_silence(self._model, self.lookahead)[0].numpy())

    @torch.no_grad()
    def _decide(self, mel_1TMC: torch.Tensor) -> np.ndarray:
        heard = self._model.hear(mel_1TMC)
        lips = self._model.speak(heard, self._lips)[0]
        posture = torch.cat([self._next_posture(heard[:, index, :]) for index in range(heard.shape[1])])
        posture[:, LIDS] += torch.from_numpy(self._blinker.draw(len(posture)))
        return pose(posture.numpy(), lips.numpy(), self._reference)

    def _next_posture(self, heard_1W: torch.Tensor) -> torch.Tensor:
        """Offsets of the next frame (1, R); a new chunk is drawn where the last one ends."""
        if self._used == self._chunk.shape[1]:
            seen = self._model.look(self._still + self._moved)
            states, self._state = self._model.remember(seen[None], self._first, heard_1W[None], self._state)
            drawn = self._model.decode_chunk(self._draw(states[:, 0]))
            self._chunk, self._used = self._held(drawn.shape[1]) + drawn, 0
            self._moved = self._chunk[:, -1]
        self._used += 1
        return self._chunk[:, self._used - 1]

    def _held(self, frames: int) -> torch.Tensor:
        """Where the body would be in the next frames if nothing were drawn, (1, N, R)."""
        visible = self._model.visible(self._moved)
        left_N1 = (-torch.arange(1, frames + 1) / self._model.config.fade).exp()[:, None]
        return visible[:, None] + left_N1 * (self._moved - visible)[:, None]

    def _draw(self, state_1H: torch.Tensor) -> torch.Tensor:
        config = self._model.config
        x = config.liveliness * torch.randn(1, config.chunk_components, generator=self._generator)
        for now, after in itertools.pairwise(self._times):
            clean = self._model(x, torch.full((1, 1), now), state_1H)
            x = euler_step(x, clean, now, after)
        return x


def _silence(model: MotionModel, frames: int) -> torch.Tensor:
    return torch.full((1, frames, model.config.mel_windows, model.config.mel_bands), SILENCE)


def draw_motion(model: MotionModel, mel: np.ndarray, reference: np.ndarray, steps: int, seed: int) -> np.ndarray:
    """Keypoints for speech, from a reference pose: (T, 4, 80) log-mel, (133, 2) pixels -> (T, 133, 2) pixels."""
    stream = MotionStream(model, reference, steps, seed)
    return np.concatenate([stream.push(mel), stream.finish()])
