"""How much the error of each latent cell counts: more near hands, face and lips.

Axes: T frames, h w latent cells.
"""

from dataclasses import dataclass

import numpy as np

from cospeech.pose import skeleton
from cospeech.pose.track import PoseTrack

_NEAR, _NEAR_LIPS = 1.6, 1.2
"""Cells within which a point makes an error count more."""


@dataclass(frozen=True)
class CellWeights:
    """How much more than 1 the error of a latent cell counts near these points; lips add to face."""

    hands: float
    face: float
    lips: float


def cell_weights(track: PoseTrack, grid: tuple[int, int], weights: CellWeights) -> np.ndarray:
    """(T, h, w) float32, 1 far from hands and face; points that were not found count for nothing."""
    near_hand = _near(track.points(skeleton.HANDS), grid, _NEAR)
    near_face = _near(track.points(skeleton.FACE), grid, _NEAR)
    near_lips = _near(track.points(skeleton.MOUTH), grid, _NEAR_LIPS)
    face = near_face & ~near_hand
    return (1 + weights.hands * near_hand + weights.face * face + weights.lips * near_lips).astype(np.float32)


def _near(track: PoseTrack, grid: tuple[int, int], cells: float) -> np.ndarray:
    """(T, h, w) bool: the middle of the cell lies within `cells` cells of a point that was found."""
    (height, width), points, found = grid, track.normalized, track.found
    middle_y, middle_x = np.arange(height) + 0.5, np.arange(width) + 0.5
    near = np.zeros((len(points), height, width), bool)
    for index in range(points.shape[1]):
        across = middle_x - points[:, index, :1] * width
        down = middle_y - points[:, index, 1:] * height
        inside = across[:, None, :] ** 2 + down[:, :, None] ** 2 < cells**2
        near |= inside & found[:, index, None, None]
    return near
