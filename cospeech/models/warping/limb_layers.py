"""Arms and hands as layers: where each point of a posed limb lies in the reference, and how far it is from the limb.

Points and directions of the plane are complex numbers, x + i y in picture sides; distances to limbs are in shoulder
widths, negative inside.

Axes: B poses, K keypoints, N points, L limbs.
"""

from dataclasses import dataclass
from typing import Protocol

import torch

from ...pose import skeleton as sk
from ...pose.moving_least_squares import deform_rigidly
from .geometry import WarpGeometry

_SHOULDERS = (5, 6)
_UPPER, _FOREARM = ((5, 7), (6, 8)), ((7, 9), (8, 10))
BONES = (*_UPPER, *_FOREARM)
"""Pairs of keypoints."""
_PALM = ((0, 1), (0, 5), (0, 9), (0, 13), (0, 17), (5, 9), (9, 13), (13, 17))
"""Pairs of hand keypoints across the palm."""
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

    def __getitem__(self, which: torch.Tensor | slice) -> "Pose":
        """Some of the poses."""
        return Pose(self.points_BK[which], self.seen_BK[which])

    def expand(self, count: int) -> "Pose":
        """The same single pose `count` times."""
        return Pose(self.points_BK.expand(count, -1), self.seen_BK.expand(count, -1))

    def each(self, times: int) -> "Pose":
        """Every pose so many times, one after the other."""
        return Pose(self.points_BK.repeat_interleave(times, 0), self.seen_BK.repeat_interleave(times, 0))


Layer = tuple[torch.Tensor, torch.Tensor]
"""(B, N) complex: where in the reference. (B, N): distance to the limb."""


@dataclass(frozen=True)
class Bones:
    """Where points lie at bones: along_BLN from their start and across_BLN, picture sides. length_BL1: of the bones."""

    along_BLN: torch.Tensor
    across_BLN: torch.Tensor
    length_BL1: torch.Tensor


class BoneOffsets(Protocol):
    def along_bones(self, bones: Bones, posed: Pose) -> torch.Tensor:
        """What to add to the places that points at `BONES` come from, along and across each: (B, L, N) complex."""


def arm_layer(
    point_N: torch.Tensor, still: Pose, posed: Pose, geometry: WarpGeometry, offsets: BoneOffsets | None = None
) -> Layer:
    """Both arms without hands."""
    radii = [geometry.upper_arm] * 2 + [geometry.forearm] * 2
    return _bone_layer(point_N, still, posed, BONES, radii, geometry.blend, offsets)


def forearm_layer(point_N: torch.Tensor, still: Pose, posed: Pose, geometry: WarpGeometry) -> Layer:
    return _bone_layer(point_N, still, posed, _FOREARM, [geometry.forearm] * 2, geometry.blend, None)


def _bone_layer(
    point_N: torch.Tensor,
    still: Pose,
    posed: Pose,
    pairs: tuple[tuple[int, int], ...],
    radii: list[float],
    blend: float,
    offsets: BoneOffsets | None,
) -> Layer:
    first, second = (list(each) for each in zip(*pairs, strict=True))
    source_BLN, distance_BLN = _along_bones(point_N, still, posed, first, second, offsets)
    distance_BLN = distance_BLN / shoulder_width(posed) - torch.tensor(radii, device=point_N.device)[:, None]
    seen_BL = _both(still, posed, first) & _both(still, posed, second)
    return _nearest(source_BLN, distance_BLN, seen_BL, blend)


def hand_layer(point_N: torch.Tensor, still: Pose, posed: Pose, geometry: WarpGeometry) -> Layer:
    """Both hands."""
    shape = (len(posed), 2, len(point_N))
    source_BLN = torch.zeros(shape, dtype=point_N.dtype, device=point_N.device)
    distance_BLN = torch.full(shape, _FAR, device=point_N.device)
    seen = []
    for side, hand in enumerate((sk.LEFT_HAND, sk.RIGHT_HAND)):
        keys = hand.tolist()
        hand_BK, both_BK = posed.points_BK[:, keys], _both(still, posed, keys)
        near = _near(point_N, hand_BK, shoulder_width(posed)).nonzero()[:, 0]
        source_BLN[:, side, near] = deform_rigidly(point_N[near], hand_BK, still.points_BK[:, keys], both_BK.float())
        distance_BLN[:, side, near] = _to_hand(point_N[near], hand_BK, shoulder_width(posed), geometry)
        seen.append(both_BK.all(1))
    return _nearest(source_BLN, distance_BLN, torch.stack(seen, -1), geometry.blend)


def _near(point_N: torch.Tensor, hand_BK: torch.Tensor, unit_B11: torch.Tensor) -> torch.Tensor:
    """Which points (N,) are less than `_MARGIN` from the box around the hand in any of the poses; saves the rest."""
    margin = _MARGIN * unit_B11[:, 0, 0].amax()
    inside = torch.ones(len(hand_BK), len(point_N), dtype=torch.bool, device=point_N.device)
    for point, hand in ((point_N.real, hand_BK.real), (point_N.imag, hand_BK.imag)):
        inside &= (point > hand.amin(1, keepdim=True) - margin) & (point < hand.amax(1, keepdim=True) + margin)
    return inside.any(0)


def _along_bones(
    point_N: torch.Tensor,
    still: Pose,
    posed: Pose,
    first: list[int],
    second: list[int],
    offsets: BoneOffsets | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Points carried back bone by bone: stretched between the joints, moved rigidly across and beyond.

    (B, L, N) complex, and their distances to the bones in picture sides.
    """
    start_BL1, end_BL1 = posed.points_BK[:, first, None], posed.points_BK[:, second, None]
    still_start_BL1, still_end_BL1 = still.points_BK[:, first, None], still.points_BK[:, second, None]
    length_BL1, still_length_BL1 = (
        (end - start).abs().clamp(min=1e-6) for start, end in ((start_BL1, end_BL1), (still_start_BL1, still_end_BL1))
    )
    along_BLN, across_BLN = _in_frame(point_N, start_BL1, (end_BL1 - start_BL1) / length_BL1)
    inside_BLN = torch.minimum(along_BLN.clamp(min=0), length_BL1)
    beyond_BLN = along_BLN - inside_BLN
    stretched_BLN = torch.addcmul(beyond_BLN, inside_BLN, still_length_BL1 / length_BL1)
    still_direction_BL1 = (still_end_BL1 - still_start_BL1) / still_length_BL1
    place_BLN = torch.complex(stretched_BLN, across_BLN)
    if offsets is not None:
        place_BLN = place_BLN + offsets.along_bones(Bones(along_BLN, across_BLN, length_BL1), posed)
    source_BLN = still_start_BL1 + place_BLN * still_direction_BL1
    return source_BLN, torch.addcmul(beyond_BLN.square(), across_BLN, across_BLN).sqrt()


def _in_frame(
    point_N: torch.Tensor, origin_BL1: torch.Tensor, direction_BL1: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Points along a direction, and across it, each (B, L, N). Real numbers side by side, as in `squared_distance`."""
    right, down = point_N.real.contiguous() - origin_BL1.real, point_N.imag.contiguous() - origin_BL1.imag
    cos, sin = direction_BL1.real, direction_BL1.imag
    return torch.addcmul(right * cos, down, sin), torch.addcmul(down * cos, right, sin, value=-1)


def _to_hand(
    point_N: torch.Tensor, hand_BK: torch.Tensor, unit_B11: torch.Tensor, geometry: WarpGeometry
) -> torch.Tensor:
    """Distance (B, N) to the nearest of palm and fingers, in shoulder widths."""
    pairs = [*_PALM, *(pair for pair in sk.HAND_LIMBS if tuple(pair) not in _PALM)]
    radii = [geometry.palm if pair in _PALM else geometry.finger for pair in pairs]
    first, second = (list(each) for each in zip(*pairs, strict=True))
    distance = to_segments(point_N, hand_BK[:, first], hand_BK[:, second]) / unit_B11
    return (distance - torch.tensor(radii, device=distance.device)[:, None]).amin(1)


def to_segments(point_N: torch.Tensor, start_BL: torch.Tensor, end_BL: torch.Tensor) -> torch.Tensor:
    """Distances (B, L, N) of points to straight lines from `start_BL` to `end_BL`."""
    length_BL1 = (end_BL - start_BL).abs().clamp(min=1e-6)[..., None]
    along, across = _in_frame(point_N, start_BL[..., None], (end_BL - start_BL)[..., None] / length_BL1)
    beyond = along - torch.minimum(along.clamp(min=0), length_BL1)
    return torch.addcmul(beyond.square(), across, across).sqrt()


def _nearest(source_BLN: torch.Tensor, distance_BLN: torch.Tensor, seen_BL: torch.Tensor, blend: float) -> Layer:
    """One layer of several limbs: each point belongs to the nearest that was seen."""
    distance_BLN = torch.where(seen_BL[..., None], distance_BLN, _FAR)
    weight_BLN = torch.softmax(-distance_BLN / blend, 1)
    return (source_BLN * weight_BLN).sum(1), distance_BLN.amin(1)


def _both(still: Pose, posed: Pose, keys: list[int]) -> torch.Tensor:
    return still.seen_BK[:, keys] & posed.seen_BK[:, keys]


def shoulder_width(pose: Pose) -> torch.Tensor:
    """(B, 1, 1)."""
    left, right = _SHOULDERS
    return (pose.points_BK[:, left] - pose.points_BK[:, right]).abs().clamp(min=1e-3)[:, None, None]
