"""Upper-body motion relative to a reference pose: what the voice-to-motion model learns and draws."""

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
    keypoints[:, UPPER_BODY] = points.reshape(len(points), -1, 2) * unit + origin
    return keypoints


def draw_motion(model: MotionModel, mel: np.ndarray, reference: np.ndarray, steps: int, seed: int) -> np.ndarray:
    """Keypoints for speech, from a reference pose: (T, 4, 80) log-mel, (133, 2) pixels -> (T, 133, 2) pixels."""
    still = torch.from_numpy(normalise(reference[None], reference))
    audio = torch.from_numpy(mel).flatten(1)[None]
    offsets = model.generate(audio, still, steps, torch.Generator().manual_seed(seed))[0]
    return denormalise((still + offsets).numpy(), reference)


def _frame_of(reference: np.ndarray) -> tuple[np.ndarray, float]:
    left, right = reference[_SHOULDERS]
    unit = float(np.hypot(*(left - right)))
    if unit < 1.0:
        raise ValueError(f"the reference pose has shoulders {unit:.2f} px apart; at least 1 px is needed to scale by")
    return (left + right) / 2, unit
