"""Upper-body motion relative to a reference pose: what the voice-to-motion model learns and draws."""

import itertools

import numpy as np
import torch

from .nets.motion import MotionModel

UPPER_BODY = np.concatenate([np.arange(13), np.arange(23, 133)])
"""COCO-WholeBody points without knees, ankles and feet."""

_SHOULDERS = [5, 6]


def point_weights() -> np.ndarray:
    """(2 * 123,): lips and face move little and matter much. Shoulder widths times weight have comparable size."""
    weight = np.ones(133, np.float32)
    weight[23:91] = 3.0
    weight[71:91] = 10.0
    return np.repeat(weight[UPPER_BODY], 2)


def normalise(keypoints: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Upper-body points with the middle of the reference's shoulders as origin and their distance as unit.

    Args:
        keypoints: (T, 133, 2) pixels. reference: (133, 2) pixels.

    Returns:
        (T, 2 * 123) float32.
    """
    origin, unit = _frame_of(reference)
    points = (keypoints[:, UPPER_BODY] - origin) / unit
    return points.reshape(len(keypoints), -1).astype(np.float32)


def denormalise(points: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The inverse of `normalise`; points outside the upper body stand still at the reference. (T, 133, 2) pixels."""
    origin, unit = _frame_of(reference)
    keypoints = np.repeat(reference[None].astype(np.float32), len(points), 0)
    keypoints[:, UPPER_BODY] = points.reshape(-1, len(UPPER_BODY), 2) * unit + origin
    return keypoints


class MotionStream:
    """Keypoints for speech that is still being said, in memory that does not grow.

    A frame is decided once the `lookahead` frames of speech after it are heard. Noise is drawn frame by frame and every
    sampling step keeps its own past, so the result does not depend on how the speech is cut into pieces.

    Args:
        reference: (133, 2) keypoints of the person at rest, pixels; the motion starts from it and is in its pixels.
        steps: Euler steps from noise to motion.
    """

    def __init__(self, model: MotionModel, reference: np.ndarray, steps: int, seed: int) -> None:
        self._model, self._reference = model, reference
        self._still = torch.from_numpy(normalise(reference[None], reference))
        self._times = torch.linspace(1, 0, steps + 1).tolist()
        self._generator = torch.Generator().manual_seed(seed)
        self._audio = torch.zeros(1, 0, model.config.audio_features)
        self._past: list[list[torch.Tensor] | None] = [None] * steps

    @property
    def lookahead(self) -> int:
        """Frames of speech that are heard beyond a frame before it is decided."""
        return self._model.config.lookahead

    def push(self, mel: np.ndarray) -> np.ndarray:
        """(T, 4, 80) log-mel of the next frames of speech -> keypoints (N, 133, 2) of the frames now decided."""
        self._audio = torch.cat([self._audio, torch.from_numpy(mel).flatten(1)[None]], 1)
        if self._audio.shape[1] <= self.lookahead:
            return self._to_pixels(self._still[:0])
        keypoints = self._draw(self._audio)
        self._audio = self._audio[:, self._audio.shape[1] - self.lookahead :]
        return keypoints

    def finish(self) -> np.ndarray:
        """Keypoints of the frames still undecided, as if the last sound went on."""
        if not self._audio.shape[1]:
            return self._to_pixels(self._still[:0])
        keypoints = self._draw(torch.cat([self._audio, self._audio[:, -1:].expand(-1, self.lookahead, -1)], 1))
        self._audio = self._audio[:, :0]
        return keypoints

    @torch.no_grad()
    def _draw(self, audio_1TA: torch.Tensor) -> np.ndarray:
        heard = self._model.hear(audio_1TA)
        shape = (1, self._model.config.components)
        x = torch.stack([torch.randn(shape, generator=self._generator) for _ in range(heard.shape[2])], 1)
        for step, (now, after) in enumerate(itertools.pairwise(self._times)):
            time = torch.full((1,), now)
            clean, self._past[step] = self._model.draw(x, time, heard, self._still, self._past[step])
            x = clean + (x - clean) * (after / now)
        return self._to_pixels(self._still + self._model.decode_motion(x)[0])

    def _to_pixels(self, points_TQ: torch.Tensor) -> np.ndarray:
        return denormalise(points_TQ.numpy(), self._reference)


def draw_motion(model: MotionModel, mel: np.ndarray, reference: np.ndarray, steps: int, seed: int) -> np.ndarray:
    """Keypoints for speech, from a reference pose: (T, 4, 80) log-mel, (133, 2) pixels -> (T, 133, 2) pixels."""
    stream = MotionStream(model, reference, steps, seed)
    return np.concatenate([stream.push(mel), stream.finish()])


def _frame_of(reference: np.ndarray) -> tuple[np.ndarray, float]:
    left, right = reference[_SHOULDERS]
    unit = float(np.hypot(*(left - right)))
    if unit < 1.0:
        raise ValueError(f"the reference pose has shoulders {unit:.2f} px apart; at least 1 px is needed to scale by")
    return (left + right) / 2, unit
