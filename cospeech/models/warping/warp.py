"""The reference picture deformed to a pose, in layers: body behind, arms before it, hands before all.

Head and torso move by rigid moving least squares (Schaefer et al., SIGGRAPH 2006) and the background stays; arms move
by their bones, hands by moving least squares over their own keypoints (`limb_layers`). What torso and sleeves do beyond
that is learned (`deformer`). Each layer is sampled from the reference by itself, without what was before it there: a
hand does not drag the clothes that it moves over, an arm does not carry a hand. What forearms and hands hid is filled
from around them. It is still wrong where the fill must guess, and where a hand shows another side; the denoiser decides
what to take.

Axes: B pictures, T frames, K keypoints, M control points, N points, C channels, H W pixels, h w latent cells.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ...pose.moving_least_squares import deform_rigidly, squared_distance
from ...pose.track import PoseTrack
from ..autoencoders.codec import Codec
from .deformer import Deformer, Offsets
from .geometry import WarpGeometry
from .limb_layers import Pose, arm_layer, forearm_layer, hand_layer, shoulder_width, to_segments

_TORSO = ((5, 6), (5, 11), (6, 12), (11, 12))
"""COCO-WholeBody pairs between which further control points lie."""
_HEAD = [*range(5), *range(23, 91)]
_JAW, _CHIN = (23, 39), 31


class Warper:
    """One reference picture, to be deformed to pose after pose."""

    @torch.no_grad()
    def __init__(
        self,
        codec: Codec,
        deformer: Deformer | None,
        reference_Chw: torch.Tensor,
        still: PoseTrack,
    ) -> None:
        """deformer: None for none. reference_Chw: latents. still: of the reference, one frame."""
        self._codec, self._deformer, self._device = codec, deformer, codec.sensitivity.device
        self._still = self._pose(still)
        picture_BCHW = codec.decode(reference_Chw[None].to(self._device).float())
        geometry = WarpGeometry() if deformer is None else deformer.geometry
        self._layers = take_apart(picture_BCHW.float(), self._still, geometry)

    @torch.no_grad()
    def warp(self, track: PoseTrack) -> torch.Tensor:
        """Latents (C, T, h, w) float32 of the reference deformed to each of T poses."""
        posed = self._pose(track)
        offsets = None if self._deformer is None else self._deformer(self._still.expand(len(posed)), posed)
        return self._codec.encode(warp_picture(self._layers, self._still, posed, offsets)).float().transpose(0, 1)

    def _pose(self, track: PoseTrack) -> Pose:
        points = torch.as_tensor(np.ascontiguousarray(track.normalized), dtype=torch.float32, device=self._device)
        return Pose(torch.view_as_complex(points), torch.as_tensor(track.found, device=self._device))


@dataclass(frozen=True)
class Layers:
    """Pictures (B, C, H, W), what is seen of them without hands, and without forearms and hands. B is 1 for a picture
    that is to be moved to several poses. geometry: by which they were taken apart and are deformed."""

    picture_BCHW: torch.Tensor
    handless_BCHW: torch.Tensor
    armless_BCHW: torch.Tensor
    geometry: WarpGeometry

    def each(self, times: int) -> "Layers":
        """Every picture so many times, one after the other."""
        whole, handless, armless = (
            each.repeat_interleave(times, 0) for each in (self.picture_BCHW, self.handless_BCHW, self.armless_BCHW)
        )
        return Layers(whole, handless, armless, self.geometry)


def warp_picture(layers: Layers, still: Pose, posed: Pose, offsets: Offsets | None = None) -> torch.Tensor:
    """Pictures (B, C, H, W) of a person moved from pose `still` to the B poses `posed`; or, if there are B of all, each
    picture from its own pose to its own."""
    still, geometry = still.expand(len(posed)), layers.geometry
    centres = cell_centres(geometry.limb_cells, posed.points_BK.device)
    made_BCHW = _sample(layers.armless_BCHW, body_field(still, posed, geometry, offsets))
    _lay_over(made_BCHW, layers.handless_BCHW, *arm_layer(centres, still, posed, geometry, offsets), geometry.arm_edge)
    _lay_over(made_BCHW, layers.picture_BCHW, *hand_layer(centres, still, posed, geometry), geometry.hand_edge)
    return made_BCHW


def _lay_over(
    made_BCHW: torch.Tensor, picture_BCHW: torch.Tensor, field_BN: torch.Tensor, distance_BN: torch.Tensor, edge: float
) -> None:
    """A layer over `made_BCHW`, worked out only in the part of the pictures where it shows."""
    distance_Bhw, size = _square(distance_BN), made_BCHW.shape[-2:]
    part = _around((distance_Bhw < edge / 2).any(0), size)
    shown = (0.5 - stretch_cells(distance_Bhw, size, part) / edge).clamp(0, 1)
    made_BCHW[(..., *part)].lerp_(_sample(picture_BCHW, _square(field_BN), part), shown[:, None])


def _around(cells_hw: torch.Tensor, size: torch.Size) -> tuple[slice, slice]:
    """Rows and columns of pixels to which these cells, stretched to `size` pixels, give anything; none for no cells."""
    parts = []
    for axis, pixels in enumerate(size):
        where = cells_hw.any(1 - axis).nonzero()[:, 0].tolist() or [-2]  # -2 and its neighbours are outside
        pixels_a_cell = pixels / cells_hw.shape[axis]
        first, last = where[0] - 1, where[-1] + 2
        parts.append(slice(max(int(first * pixels_a_cell), 0), max(min(math.ceil(last * pixels_a_cell), pixels), 0)))
    return parts[0], parts[1]


def take_apart(picture_BCHW: torch.Tensor, still: Pose, geometry: WarpGeometry) -> Layers:
    """Hands and forearms are taken away one after the other, and what they hid is filled from what is around it."""
    centres = cell_centres(geometry.limb_cells, picture_BCHW.device)
    _, hand_BN = hand_layer(centres, still, still, geometry)
    _, forearm_BN = forearm_layer(centres, still, still, geometry)
    handless, armless = (
        _without(picture_BCHW, distance_BN, geometry.hidden)
        for distance_BN in (hand_BN, torch.minimum(hand_BN, forearm_BN))
    )
    return Layers(picture_BCHW, handless, armless, geometry)


def _without(picture_BCHW: torch.Tensor, distance_BN: torch.Tensor, hidden: float) -> torch.Tensor:
    keep = (stretch_cells(_square(distance_BN)[:, None], picture_BCHW.shape[-2:]) > hidden).float()
    return fill(picture_BCHW * keep, keep)


def fill(known_BCHW: torch.Tensor, weight_B1HW: torch.Tensor) -> torch.Tensor:
    """Holes filled from around them, coarse to fine (pull-push: Gortler et al., "The lumigraph", SIGGRAPH 1996).

    known_BCHW: 0 in holes. weight_B1HW: 1 where known, else 0.
    """
    if min(known_BCHW.shape[-2:]) < 2:
        return known_BCHW
    shrunk, share = F.avg_pool2d(known_BCHW, 2, ceil_mode=True), F.avg_pool2d(weight_B1HW, 2, ceil_mode=True)
    coarse = fill(shrunk / share.clamp(min=1e-6), (share > 0).float())
    guess = F.interpolate(coarse, size=known_BCHW.shape[-2:], mode="bilinear", align_corners=False)
    return known_BCHW + (1 - weight_B1HW) * guess


def body_field(still: Pose, posed: Pose, geometry: WarpGeometry, offsets: Offsets | None = None) -> torch.Tensor:
    """Where in the reference head and torso of each cell come from, and the background from where it is: (B, cells,
    cells) complex in 0..1."""
    centres = cell_centres(geometry.body_cells, posed.points_BK.device)
    share_BN = _person(centres, posed, geometry)
    moved = share_BN.amax(0).nonzero()[:, 0]
    (to_BM, seen), (from_BM, seen_still) = _control_points(posed, geometry), _control_points(still, geometry)
    field_BN = centres.repeat(len(posed), 1)
    source = deform_rigidly(centres[moved], to_BM, from_BM, (seen & seen_still).float())
    if offsets is not None:
        source = source + offsets.torso(centres[moved], posed)
    field_BN[:, moved] = torch.lerp(field_BN[:, moved], source, share_BN[:, moved].to(source.dtype))
    return _square(field_BN)


def _person(point_N: torch.Tensor, pose: Pose, geometry: WarpGeometry) -> torch.Tensor:
    """(B, N) from 1 on head and torso to 0 in the background. The torso is as wide as the shoulders, and goes on below
    the picture."""
    left, right = pose.points_BK[:, 5], pose.points_BK[:, 6]
    middle, unit_B1 = (left + right) / 2, shoulder_width(pose)[..., 0]
    across = torch.where(left.real < right.real, right - left, left - right) / unit_B1[:, 0]
    local = (point_N - middle[:, None]) * across.conj()[:, None]
    torso = torch.hypot((local.real.abs() - unit_B1 / 2).clamp(min=0), local.imag.clamp(max=0))
    head = torch.cat([pose.points_BK[:, _HEAD], _crown(pose.points_BK, geometry)], 1)
    neck = to_segments(point_N, pose.points_BK[:, _CHIN, None], middle[:, None])[:, 0]
    around = torch.minimum(squared_distance(point_N, head).amin(1).sqrt(), neck)
    away_BN = torch.minimum(torso, around - geometry.hair * unit_B1)
    share = (1 - away_BN / (geometry.outline * unit_B1)).clamp(0, 1)
    return share.square() * (3 - 2 * share)


def _control_points(pose: Pose, geometry: WarpGeometry) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, M) complex, and whether each was seen."""
    points, seen = pose.points_BK, pose.seen_BK
    first, second = torch.tensor(_TORSO, device=points.device).unbind(1)
    share = torch.linspace(0, 1, geometry.between + 2, device=points.device)[1:-1]
    along = torch.lerp(points[:, first, None], points[:, second, None], share.to(points.dtype)).flatten(1)
    along_seen = (seen[:, first] & seen[:, second]).repeat_interleave(geometry.between, 1)
    border = _border(geometry.border, points.device).expand(len(points), -1)
    border_seen = torch.ones_like(border, dtype=torch.bool)
    border_seen[:, 1 - geometry.border :] = ~seen[:, [11, 12]].any(1, keepdim=True)
    face_seen = seen[:, [*_JAW, _CHIN]].all(1, keepdim=True).expand(-1, geometry.crown)
    kept = [5, 6, 11, 12, *_HEAD]
    return (
        torch.cat([points[:, kept], along, _crown(points, geometry), border], 1),
        torch.cat([seen[:, kept], along_seen, face_seen, border_seen], 1),
    )


def _crown(points_BK: torch.Tensor, geometry: WarpGeometry) -> torch.Tensor:
    """(B, points) around the head, which carry the hair, in the frame that jaw and chin give: half an ellipse above, a
    shallower arc beside."""
    left, right, chin = points_BK[:, _JAW[0]], points_BK[:, _JAW[1]], points_BK[:, _CHIN]
    middle = (left + right) / 2
    angle = torch.linspace(-0.25, 1.25, geometry.crown, device=points_BK.device) * torch.pi
    height = torch.where(angle.sin() > 0, geometry.crown_height, geometry.crown_drop)
    aside, above = geometry.crown_width * angle.cos(), angle.sin() * height
    return middle[:, None] + (right - left)[:, None] / 2 * aside + (middle - chin)[:, None] * above


def _border(count: int, device: torch.device) -> torch.Tensor:
    """Points at the edges of the picture, which stay. The bottom ones, last, hold the waist where no hip is seen."""
    edge = torch.linspace(0, 1, count + 1, device=device)
    nought, one = torch.zeros_like(edge), torch.ones_like(edge)
    sides = [torch.complex(edge, nought), torch.complex(nought, edge)[1:], torch.complex(one, edge)[1:]]
    return torch.cat([*sides, torch.complex(edge, one)[1:-1]])


def cell_centres(cells: int, device: torch.device) -> torch.Tensor:
    middle = (torch.arange(cells, device=device) + 0.5) / cells
    return torch.complex(*torch.meshgrid(middle, middle, indexing="xy")).reshape(-1)


def _square(field_BN: torch.Tensor) -> torch.Tensor:
    return field_BN.unflatten(1, (round(field_BN.shape[1] ** 0.5), -1))


def stretch_cells(
    cells_Bhw: torch.Tensor, size: torch.Size, part: tuple[slice, slice] = (slice(None), slice(None))
) -> torch.Tensor:
    """Bilinear interpolation to `size` pixels, the part `part` of it: as two small matrix products, several times as
    fast as `F.interpolate` on a processor."""
    down, across = (
        F.interpolate(torch.eye(few, device=cells_Bhw.device)[None], size=many, mode="linear", align_corners=False)[0]
        for few, many in zip(cells_Bhw.shape[-2:], size, strict=True)
    )
    with torch.autocast(cells_Bhw.device.type, enabled=False):  # bfloat16 has not the digits for a place
        return down[:, part[0]].T @ cells_Bhw @ across[:, part[1]]


def _sample(
    picture_BCHW: torch.Tensor, field_Bhw: torch.Tensor, part: tuple[slice, slice] = (slice(None), slice(None))
) -> torch.Tensor:
    """The picture where `field_Bhw`, stretched to its size, says: the part `part` of it, (B, C, rows, columns). The
    border repeats outside."""
    field_B2hw = torch.stack([field_Bhw.real, field_Bhw.imag], 1)
    grid_BHW2 = stretch_cells(field_B2hw, picture_BCHW.shape[-2:], part).permute(0, 2, 3, 1) * 2 - 1
    pictures = picture_BCHW.expand(len(field_Bhw), -1, -1, -1)
    return F.grid_sample(pictures, grid_BHW2, padding_mode="border", align_corners=False)
