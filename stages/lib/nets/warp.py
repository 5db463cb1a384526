"""The reference picture deformed to a pose, in layers: body behind, arms before it, hands before all.

Head and torso move by rigid moving least squares (Schaefer et al., SIGGRAPH 2006); arms by their bones, hands by moving
least squares over their own keypoints (`stages.lib.limbs`). Each layer is sampled from the reference by itself, so that
a hand does not drag the clothes that it moves over. What forearms and hands hid in the reference is filled from around
them. It is still wrong where the fill must guess, and where a hand shows another side; the denoiser decides what to
take.

Axes: B pictures, T frames, K keypoints, M control points, N points, C channels, H W pixels, h w latent cells.
"""

import numpy as np
import torch
import torch.nn.functional as F

from ..limbs import Pose, arm_layer, hand_layer
from ..mls import deform_rigidly
from .codec import Codec

_BODY_CELLS, _LIMB_CELLS = 16, 48
"""Cells a side on which the layers are worked out; they are smooth, and stretched to pixels."""
_ARM_EDGE, _HAND_EDGE = 0.08, 0.05
"""Width of the soft edge of a layer, shoulder widths."""
_HIDDEN = 0.03
"""Nearer than this to forearm or hand, shoulder widths, the reference shows nothing of the body."""
_TORSO = ((5, 6), (5, 11), (6, 12), (11, 12))
"""COCO-WholeBody pairs between which further control points lie."""
_BETWEEN, _BORDER = 4, 8
_HEAD = [*range(5), *range(23, 91)]
_JAW, _CHIN = (23, 39), 31
_CROWN = 13
"""Control points around the head, which carry the hair."""


class Warper:
    """One reference picture, to be deformed to pose after pose."""

    @torch.no_grad()
    def __init__(
        self, codec: Codec, reference_Chw: torch.Tensor, keypoints: np.ndarray, confidence: np.ndarray
    ) -> None:
        """reference_Chw: latents. keypoints: (133, 2) of the reference, x y in 0..1. confidence: (133,)."""
        self._codec, self._device = codec, reference_Chw.device
        self._still = self._pose(keypoints[None], confidence[None])
        self._picture = codec.decode(reference_Chw[None].float()).float()
        self._behind = uncover(self._picture, self._still)

    @torch.no_grad()
    def warp(self, keypoints: np.ndarray, confidence: np.ndarray) -> torch.Tensor:
        """Latents (C, T, h, w) float32 of the reference deformed to each of T poses.

        keypoints: (T, 133, 2), x y in 0..1. confidence: (T, 133).
        """
        posed = self._pose(keypoints, confidence)
        return self._codec.encode(warp_picture(self._picture, self._behind, self._still, posed)).float().transpose(0, 1)

    def _pose(self, keypoints: np.ndarray, confidence: np.ndarray) -> Pose:
        points = torch.as_tensor(np.ascontiguousarray(keypoints), dtype=torch.float32, device=self._device)
        return Pose(torch.view_as_complex(points), torch.as_tensor(confidence > 0, device=self._device))


def warp_picture(picture_1CHW: torch.Tensor, behind_1CHW: torch.Tensor, still: Pose, posed: Pose) -> torch.Tensor:
    """Pictures (B, C, H, W) of a person moved from pose `still` to the B poses `posed`.

    behind_1CHW: the picture without forearms and hands (`uncover`).
    """
    still = still.expand(len(posed))
    made = _sample(behind_1CHW, body_field(still, posed, _BODY_CELLS))
    centres = _centres(_LIMB_CELLS, made.device)
    for layer, edge in ((arm_layer, _ARM_EDGE), (hand_layer, _HAND_EDGE)):
        made = _lay_over(made, picture_1CHW, *layer(centres, still, posed), edge)
    return made


def _lay_over(
    made_BCHW: torch.Tensor, picture_1CHW: torch.Tensor, field_BN: torch.Tensor, distance_BN: torch.Tensor, edge: float
) -> torch.Tensor:
    """A layer over `made_BCHW`, worked out only where it shows: arms and hands are a tenth of the picture."""
    size = made_BCHW.shape[-2:]
    shown_BHW = (0.5 - _stretch(_square(distance_BN)[:, None], size)[:, 0] / edge).clamp(0, 1)
    where = shown_BHW.flatten().nonzero()[:, 0]
    grid = _grid(_square(field_BN), size).reshape(-1, 2)[where]
    colour = F.grid_sample(picture_1CHW, grid[None, None], padding_mode="border", align_corners=False)[0, :, 0].T
    made = made_BCHW.permute(0, 2, 3, 1).reshape(-1, made_BCHW.shape[1])
    made[where] = torch.lerp(made[where], colour, shown_BHW.flatten()[where, None])
    return made.view(*shown_BHW.shape, -1).permute(0, 3, 1, 2)


def uncover(picture_1CHW: torch.Tensor, still: Pose) -> torch.Tensor:
    """The picture with forearms and hands taken away, filled from what is around them."""
    centres = _centres(_LIMB_CELLS, picture_1CHW.device)
    _, forearm = arm_layer(centres, still, still, upper=False)
    _, hand = hand_layer(centres, still, still)
    keep = (_stretch(_square(torch.minimum(forearm, hand))[:, None], picture_1CHW.shape[-2:]) > _HIDDEN).float()
    return fill(picture_1CHW * keep, keep)


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


def body_field(still: Pose, posed: Pose, cells: int) -> torch.Tensor:
    """Where in the reference head, torso and background of each cell come from: (B, cells, cells) complex in 0..1."""
    (to_BM, seen), (from_BM, seen_still) = _control_points(posed), _control_points(still)
    return _square(deform_rigidly(_centres(cells, to_BM.device), to_BM, from_BM, (seen & seen_still).float()))


def _control_points(pose: Pose) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, M) complex, and whether each was seen."""
    points, seen = pose.points_BK, pose.seen_BK
    first, second = torch.tensor(_TORSO, device=points.device).unbind(1)
    share = torch.linspace(0, 1, _BETWEEN + 2, device=points.device)[1:-1]
    along = torch.lerp(points[:, first, None], points[:, second, None], share.to(points.dtype)).flatten(1)
    along_seen = (seen[:, first] & seen[:, second]).repeat_interleave(_BETWEEN, 1)
    border = _border(points.device).expand(len(points), -1)
    face_seen = seen[:, [*_JAW, _CHIN]].all(1, keepdim=True).expand(-1, _CROWN)
    kept = [5, 6, 11, 12, *_HEAD]
    return (
        torch.cat([points[:, kept], along, _crown(points), border], 1),
        torch.cat([seen[:, kept], along_seen, face_seen, torch.ones_like(border, dtype=torch.bool)], 1),
    )


def _crown(points_BK: torch.Tensor) -> torch.Tensor:
    """(B, 13) around the head, in the frame that jaw and chin give: half an ellipse above, a shallower arc beside."""
    left, right, chin = points_BK[:, _JAW[0]], points_BK[:, _JAW[1]], points_BK[:, _CHIN]
    middle = (left + right) / 2
    angle = torch.linspace(-0.25, 1.25, _CROWN, device=points_BK.device) * torch.pi
    aside, above = 1.25 * angle.cos(), angle.sin() * torch.where(angle.sin() > 0, 1.15, 0.9)
    return middle[:, None] + (right - left)[:, None] / 2 * aside + (middle - chin)[:, None] * above


def _border(device: torch.device) -> torch.Tensor:
    """Points at the top and the sides; they stay, and hold the background. The body goes on below the picture."""
    edge = torch.linspace(0, 1, _BORDER + 1, device=device)
    nought, one = torch.zeros_like(edge), torch.ones_like(edge)
    return torch.cat([torch.complex(edge, nought), torch.complex(nought, edge)[1:], torch.complex(one, edge)[1:]])


def _centres(cells: int, device: torch.device) -> torch.Tensor:
    middle = (torch.arange(cells, device=device) + 0.5) / cells
    return torch.complex(*torch.meshgrid(middle, middle, indexing="xy")).reshape(-1)


def _square(field_BN: torch.Tensor) -> torch.Tensor:
    return field_BN.unflatten(1, (round(field_BN.shape[1] ** 0.5), -1))


def _stretch(cells_BChw: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """Bilinear interpolation, as two small matrix products: several times as fast as `F.interpolate` on a processor."""
    height, width = cells_BChw.shape[-2:]
    down, across = (
        F.interpolate(torch.eye(few, device=cells_BChw.device)[None], size=many, mode="linear", align_corners=False)[0]
        for few, many in ((height, size[0]), (width, size[1]))
    )
    with torch.autocast(cells_BChw.device.type, enabled=False):  # bfloat16 has not the digits for a place
        return down.T @ cells_BChw @ across


def _grid(field_Bhw: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """What grid_sample takes: (B, H, W, 2) in -1..1."""
    field_B2hw = torch.stack([field_Bhw.real, field_Bhw.imag], 1)
    return _stretch(field_B2hw, size).permute(0, 2, 3, 1) * 2 - 1


def _sample(picture_1CHW: torch.Tensor, field_Bhw: torch.Tensor) -> torch.Tensor:
    """The picture where `field_Bhw` says, (B, C, H, W); the border repeats outside."""
    pictures = picture_1CHW.expand(len(field_Bhw), -1, -1, -1)
    return F.grid_sample(
        pictures, _grid(field_Bhw, picture_1CHW.shape[-2:]), padding_mode="border", align_corners=False
    )
