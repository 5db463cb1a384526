"""Which tokens of a frame show the face, the hands, the arms, the shoulders, the body: from the keypoints.

The sets I_r of eq. 3, arXiv 2510.02617. They are disjoint: where parts overlap in the picture the finer one wins.
Axes: T frames, N tokens of a frame (row by row), L lines of a part.
"""

from dataclasses import dataclass

import numpy as np
import torch

from . import skeleton as sk
from .moving_least_squares import deform_rigidly
from .track import PoseTrack

BACKGROUND, FACE, HANDS, ARMS, SHOULDERS, BODY = range(6)
FINEST_FIRST = (HANDS, FACE, ARMS, SHOULDERS, BODY)
"""Where parts overlap, the first of these wins."""
REGION_NAMES = ("background", "face", "hands", "arms", "shoulders", "body")
UNKNOWN_WIDTH = 0.3
"""Shoulder width, in sides of the frame, of a person whose shoulders were never visible."""

_HAND = np.array(
    [(hand[a], hand[b]) for hand in (sk.LEFT_HAND, sk.RIGHT_HAND) for a, b in sk.HAND_LIMBS]
    + [(hand[a], hand[b]) for hand in (sk.LEFT_HAND, sk.RIGHT_HAND) for a, b in ((5, 9), (9, 13), (13, 17))]
)
_ARMS = np.array(
    [
        (sk.LEFT_SHOULDER, sk.LEFT_ELBOW),
        (sk.LEFT_ELBOW, sk.LEFT_WRIST),
        (sk.RIGHT_SHOULDER, sk.RIGHT_ELBOW),
        (sk.RIGHT_ELBOW, sk.RIGHT_WRIST),
    ]
)
_FACE = np.array([(point, sk.NOSE_BRIDGE[-1]) for point in (*sk.JAW, *sk.RIGHT_BROW, *sk.LEFT_BROW)])
_HIPS = np.array([sk.LEFT_HIP, sk.RIGHT_HIP])
_ACROSS = np.linspace(0, 1, 7)
"""Where the lines of the torso run: from the left side to the right."""
_FINE = 128
"""Cells a side on which the regions of a rest pose are drawn."""
_TRUNK = 1.5
"""From the shoulders to the hips, in shoulder widths."""


@dataclass(frozen=True)
class Part:
    """The lines of a part and how far from them it reaches.

    ends_TL22: two points (x y), 0..1 of the frame. seen_TL: bool. reach: shoulder widths; at
    least half a token's diagonal, so that the token under a line is always its own.
    """

    region: int
    ends_TL22: np.ndarray
    seen_TL: np.ndarray
    reach: float


def region_tokens(track: PoseTrack, grid: tuple[int, int], width_before: float = UNKNOWN_WIDTH) -> np.ndarray:
    """The region of each token: (T, N) int64, an index into REGION_NAMES; any region may be empty. Only visible
    keypoints count.

    grid: tokens down and across. width_before: shoulder width last seen before these frames.
    """
    return rasterise(find_parts(track), shoulder_width(track, width_before), grid)


def deformed_regions(track: PoseTrack, rest: PoseTrack, grid: tuple[int, int]) -> np.ndarray:
    """`region_tokens` by rigid moving least squares: each token's centre is carried back to the rest pose by the motion
    of the keypoints (seen in both), and has the region that is there, drawn fine. rest: one frame.

    See docs/attention.md for how this compares; it is not the default.
    """
    fine = (_FINE, _FINE)
    rest_region_N = rasterise(find_parts(rest), shoulder_width(rest), fine, half_diagonal(grid))[0]
    seen_TP = track.visible & rest.visible
    keypoints = track.normalized
    moved_TP2 = np.broadcast_to(rest.normalized, keypoints.shape)
    control_TP, rest_TP = (
        torch.from_numpy(np.ascontiguousarray(x[..., 0] + 1j * x[..., 1])).to(torch.complex64)
        for x in (keypoints, moved_TP2)
    )
    centre_N = torch.from_numpy(centres(grid) @ np.array([1, 1j])).to(torch.complex64)
    source = deform_rigidly(centre_N, control_TP, rest_TP, torch.from_numpy(seen_TP).float())
    source_TN2 = torch.view_as_real(source).numpy()
    inside_TN = ((source_TN2 >= 0) & (source_TN2 < 1)).all(-1) & seen_TP.any(-1, keepdims=True)
    cell_TN2 = np.clip((source_TN2 * _FINE).astype(np.int64), 0, _FINE - 1)
    return np.where(inside_TN, rest_region_N[cell_TN2[..., 1] * _FINE + cell_TN2[..., 0]], BACKGROUND)


def find_parts(track: PoseTrack) -> list[Part]:
    """The shapes of the regions, finest first. Other shapes (a deformed template) come in here."""
    keypoints, visible = track.normalized, track.visible

    def joined(region: int, pairs: np.ndarray, reach: float) -> Part:
        return Part(region, keypoints[:, pairs], np.all(visible[:, pairs], axis=-1), reach)

    return [
        joined(HANDS, _HAND, 0.09),
        joined(FACE, _FACE, 0.09),
        joined(ARMS, _ARMS, 0.14),
        joined(SHOULDERS, sk.SHOULDERS[None], 0.16),
        _torso(keypoints, visible),
    ]


def _torso(keypoints: np.ndarray, visible: np.ndarray) -> Part:
    """From the shoulders to the hips, or as far straight down as `_TRUNK` says where a hip is out of the picture."""
    top_T22 = keypoints[:, sk.SHOULDERS]
    across_T2 = top_T22[:, 0] - top_T22[:, 1]
    down_T2 = np.stack([-across_T2[:, 1], across_T2[:, 0]], axis=-1)
    down_T2 = np.where(down_T2[:, 1:] < 0, -down_T2, down_T2)
    bottom_T22 = np.where(visible[:, _HIPS, None], keypoints[:, _HIPS], top_T22 + _TRUNK * down_T2[:, None])
    sides = np.stack([1 - _ACROSS, _ACROSS])
    ends_TL22 = np.stack([np.einsum("sl,tsd->tld", sides, ends) for ends in (top_T22, bottom_T22)], axis=2)
    seen_T = np.all(visible[:, sk.SHOULDERS], axis=-1)
    return Part(BODY, ends_TL22, np.repeat(seen_T[:, None], len(_ACROSS), axis=1), 0.12)


def shoulder_width(track: PoseTrack, before: float = UNKNOWN_WIDTH) -> np.ndarray:
    """(T,) in sides of the frame; where a shoulder is not visible the last before, `before` if there is none.

    Never that of a later frame, which a video that is still being spoken does not have.
    """
    (left, right), keypoints = sk.SHOULDERS, track.normalized
    width_T = np.linalg.norm(keypoints[:, left] - keypoints[:, right], axis=-1)
    seen_T = track.visible[:, sk.SHOULDERS].all(-1)
    last_T = np.maximum.accumulate(np.where(seen_T, np.arange(len(width_T)), -1))
    return np.where(last_T >= 0, width_T[last_T], before)


def half_diagonal(grid: tuple[int, int]) -> float:
    """Of a token, in sides of the frame."""
    return float(0.5 * np.hypot(1 / grid[0], 1 / grid[1]))


def rasterise(
    parts: list[Part], unit_T: np.ndarray, grid: tuple[int, int], least_reach: float | None = None
) -> np.ndarray:
    """(T, N) int64: for each token the first part that reaches its centre. unit_T: what `reach` is measured in.

    least_reach: in sides of the frame; None: half a token's diagonal.
    """
    least_reach = half_diagonal(grid) if least_reach is None else least_reach
    rows, columns = grid
    centre_N2 = centres(grid)
    region_TN = np.full((len(unit_T), rows * columns), BACKGROUND, dtype=np.int64)
    for part in reversed(parts):
        reach_T = np.maximum(part.reach * unit_T, least_reach)
        region_TN[_distance(centre_N2, part) <= reach_T[:, None]] = part.region
    return region_TN


def centres(grid: tuple[int, int]) -> np.ndarray:
    """(N, 2), x y in 0..1."""
    rows, columns = grid
    x, y = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.5) / rows)
    return np.stack([x, y], axis=-1).reshape(-1, 2)


def _distance(point_N2: np.ndarray, part: Part) -> np.ndarray:
    """From each point to the nearest seen line of the part, (T, N); infinite where none is seen.

    With a the start and d the direction of a line, the nearest of its points is a + s d, s = (p - a) d / d^2 within
    0..1; everything comes from two matrix products.
    """
    start_TL2, along_TL2 = part.ends_TL22[:, :, 0], part.ends_TL22[:, :, 1] - part.ends_TL22[:, :, 0]
    length_TL1 = np.maximum((along_TL2**2).sum(-1, keepdims=True), 1e-12)
    offset_TLN = along_TL2 @ point_N2.T - (start_TL2 * along_TL2).sum(-1, keepdims=True)
    square_TLN = (point_N2**2).sum(-1) - 2 * start_TL2 @ point_N2.T + (start_TL2**2).sum(-1, keepdims=True)
    share_TLN = np.clip(offset_TLN / length_TL1, 0, 1)
    square_TLN -= share_TLN * (2 * offset_TLN - share_TLN * length_TL1)
    nearest_TN = np.where(part.seen_TL[..., None], square_TLN, np.inf).min(axis=1, initial=np.inf)
    return np.sqrt(np.maximum(nearest_TN, 0))
