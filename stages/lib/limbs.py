"""Arms and hands as layers: where each point of a posed limb lies in the reference, and how far it is from the limb.

Points and directions of the plane are complex numbers, x + i y in picture sides; distances to limbs are in shoulder
widths, negative inside.

Axes: B poses, K keypoints, N points, L limbs.
"""

from dataclasses import dataclass

import torch

from .mls import deform_rigidly, squared
from .pose import skeleton as sk

_SHOULDERS = (5, 6)
_UPPER, _FOREARM = ((5, 7), (6, 8)), ((7, 9), (8, 10))
_UPPER_RADIUS, _FOREARM_RADIUS, _PALM_RADIUS, _FINGER_RADIUS = 0.10, 0.11, 0.08, 0.04
"""Shoulder widths; sleeves included. Chosen for the least error over the embedded corpus."""
_PALM = ((0, 1), (0, 5), (0, 9), (0, 13), (0, 17), (5, 9), (9, 13), (13, 17))
"""Pairs of hand keypoints across the palm."""
_BLEND = 0.02
"""Shoulder widths over which one limb takes over from the other."""
_FAR = 1e3
_MARGIN = 0.4
"""Shoulder widths; more than a cell of any grid beyond where a hand shows."""


@dataclass(frozen=True)
class Pose:
    """points_BK: COCO-WholeBody keypoints, complex. seen_BK: whether each was found."""

    points_BK: torch.Tensor
    seen_BK: torch.Tensor

    def __len__(self) -> int:
        return len(self.points_BK)

    def expand(self, count: int) -> "Pose":
        """The same single pose `count` times."""
        return Pose(self.points_BK.expand(count, -1), self.seen_BK.expand(count, -1))


Layer = tuple[torch.Tensor, torch.Tensor]
"""(B, N) complex: where in the reference. (B, N): distance to the limb."""


def arm_layer(point_N: torch.Tensor, still: Pose, posed: Pose, upper: bool = True) -> Layer:
    """Both arms without hands; `upper` False: forearms only."""
    pairs = [*(_UPPER if upper else ()), *_FOREARM]
    radii = [*([_UPPER_RADIUS] * 2 if upper else ()), *[_FOREARM_RADIUS] * 2]
    first, second = (list(each) for each in zip(*pairs, strict=True))
    source_BNL, distance_BNL = _along_bones(point_N, still, posed, first, second)
    distance_BNL = distance_BNL / shoulder_width(posed) - torch.tensor(radii, device=point_N.device)
    seen_BL = _both(still, posed, first) & _both(still, posed, second)
    return _nearest(source_BNL, distance_BNL, seen_BL)


def hand_layer(point_N: torch.Tensor, still: Pose, posed: Pose) -> Layer:
    """Both hands."""
    shape = (len(posed), len(point_N), 2)
    source_BNL = torch.zeros(shape, dtype=point_N.dtype, device=point_N.device)
    distance_BNL = torch.full(shape, _FAR, device=point_N.device)
    seen = []
    for side, hand in enumerate((sk.LEFT_HAND, sk.RIGHT_HAND)):
        keys = hand.tolist()
        hand_BK, both_BK = posed.points_BK[:, keys], _both(still, posed, keys)
        near = _near(point_N, hand_BK, shoulder_width(posed)).nonzero()[:, 0]
        source_BNL[:, near, side] = deform_rigidly(point_N[near], hand_BK, still.points_BK[:, keys], both_BK.float())
        distance_BNL[:, near, side] = _to_hand(point_N[near], hand_BK, shoulder_width(posed))
        seen.append(both_BK.all(1))
    return _nearest(source_BNL, distance_BNL, torch.stack(seen, -1))


def _near(point_N: torch.Tensor, hand_BK: torch.Tensor, unit_B11: torch.Tensor) -> torch.Tensor:
    """Which points (N,) are less than `_MARGIN` from the box around the hand in any of the poses; saves the rest."""
    margin = _MARGIN * unit_B11[:, 0, 0].amax()
    inside = torch.ones(len(hand_BK), len(point_N), dtype=torch.bool, device=point_N.device)
    for point, hand in ((point_N.real, hand_BK.real), (point_N.imag, hand_BK.imag)):
        inside &= (point > hand.amin(1, keepdim=True) - margin) & (point < hand.amax(1, keepdim=True) + margin)
    return inside.any(0)


def _along_bones(
    point_N: torch.Tensor, still: Pose, posed: Pose, first: list[int], second: list[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Points carried back bone by bone: stretched between the joints, moved rigidly across and beyond.

    (B, N, L) complex, and their distances to the bones in picture sides.
    """
    start_BL, bone_BL = posed.points_BK[:, first], posed.points_BK[:, second] - posed.points_BK[:, first]
    still_start_BL = still.points_BK[:, first]
    still_bone_BL = still.points_BK[:, second] - still_start_BL
    length_BL, still_length_BL = bone_BL.abs().clamp(min=1e-6), still_bone_BL.abs().clamp(min=1e-6)
    # in the bone's own frame: along it, and across
    local = (point_N[None, :, None] - start_BL[:, None]) * (bone_BL / length_BL).conj()[:, None]
    inside = torch.minimum(local.real.clamp(min=0), length_BL[:, None])
    beyond = local.real - inside
    along = inside * (still_length_BL / length_BL)[:, None] + beyond
    source = still_start_BL[:, None] + torch.complex(along, local.imag) * (still_bone_BL / still_length_BL)[:, None]
    return source, (beyond.square() + local.imag.square()).sqrt()


def _to_hand(point_N: torch.Tensor, hand_BK: torch.Tensor, unit_B11: torch.Tensor) -> torch.Tensor:
    """Distance (B, N) to the nearest of palm and fingers, in shoulder widths."""
    pairs = [*_PALM, *(pair for pair in sk.HAND_LIMBS if tuple(pair) not in _PALM)]
    radii = [_PALM_RADIUS if pair in _PALM else _FINGER_RADIUS for pair in pairs]
    first, second = (list(each) for each in zip(*pairs, strict=True))
    distance = to_segments(point_N, hand_BK[:, first], hand_BK[:, second]) / unit_B11
    return (distance - torch.tensor(radii, device=distance.device)).amin(-1)


def to_segments(point_N: torch.Tensor, start_BL: torch.Tensor, end_BL: torch.Tensor) -> torch.Tensor:
    """Distances (B, N, L) of points to straight lines from `start_BL` to `end_BL`."""
    line_BL = end_BL - start_BL
    away = point_N[None, :, None] - start_BL[:, None]
    share = (away * line_BL.conj()[:, None]).real / line_BL.abs().square().clamp(min=1e-12)[:, None]
    return squared(away - share.clamp(0, 1) * line_BL[:, None]).sqrt()


def _nearest(source_BNL: torch.Tensor, distance_BNL: torch.Tensor, seen_BL: torch.Tensor) -> Layer:
    """One layer of several limbs: each point belongs to the nearest that was seen."""
    distance_BNL = torch.where(seen_BL[:, None], distance_BNL, _FAR)
    weight = torch.softmax(-distance_BNL / _BLEND, -1)
    return (source_BNL * weight).sum(-1), distance_BNL.amin(-1)


def _both(still: Pose, posed: Pose, keys: list[int]) -> torch.Tensor:
    return still.seen_BK[:, keys] & posed.seen_BK[:, keys]


def shoulder_width(pose: Pose) -> torch.Tensor:
    """(B, 1, 1)."""
    left, right = _SHOULDERS
    return (pose.points_BK[:, left] - pose.points_BK[:, right]).abs().clamp(min=1e-3)[:, None, None]
