"""The reference picture deformed to a pose: rigid moving least squares (Schaefer et al., SIGGRAPH 2006) over keypoints.

It brings hands, arms and face near to where the pose wants them, with the person's own texture. It is wrong where
things cover each other; the denoiser decides what to take.

Axes: B pictures, T frames, K keypoints, M control points, N cells, C channels, H W pixels, h w latent cells.
"""

import numpy as np
import torch
import torch.nn.functional as F

from ..mls import deform_rigidly
from .codec import Codec

_CELLS = 16
"""Cells a side on which the deformation is worked out; it is smooth, and stretched to pixels."""
_LIMBS = ((5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12), (11, 12))
"""COCO-WholeBody pairs between which further control points lie."""
_BETWEEN = 4
_BORDER = 8
"""Control points a side of the picture's border; they stay where they are, and hold the background."""


@torch.no_grad()
def warp_reference(
    codec: Codec,
    reference_Chw: torch.Tensor,
    keypoints: np.ndarray,
    confidence: np.ndarray,
    reference_keypoints: np.ndarray,
    reference_confidence: np.ndarray,
) -> torch.Tensor:
    """Latents (C, T, h, w) float32 of the reference deformed to each of T poses.

    Args:
        reference_Chw: latents of the reference. keypoints: (T, 133, 2), x y in 0..1. confidence: (T, 133).
        reference_keypoints: (133, 2). reference_confidence: (133,).
    """
    device, frames = reference_Chw.device, len(keypoints)
    points = torch.as_tensor(keypoints, dtype=torch.float32, device=device)
    still = torch.as_tensor(reference_keypoints, dtype=torch.float32, device=device).expand_as(points)
    seen = torch.as_tensor((confidence > 0) & (reference_confidence > 0), device=device).float()
    picture = codec.decode(reference_Chw[None].float()).float()
    warped = warp_picture(picture.expand(frames, -1, -1, -1), warp_field(points, still, seen, _CELLS))
    return codec.encode(warped).float().transpose(0, 1)


def warp_field(
    keypoints_BK2: torch.Tensor, reference_BK2: torch.Tensor, seen_BK: torch.Tensor, cells: int
) -> torch.Tensor:
    """Where in the reference each cell of the posed picture comes from: (B, cells, cells, 2), x y in 0..1.

    Keypoints are x y in 0..1; seen_BK is 1 for those that count, else 0.
    """
    p_BM, weight_BM = _control_points(keypoints_BK2, seen_BK)
    q_BM, _ = _control_points(reference_BK2, seen_BK)
    middle = (torch.arange(cells, device=p_BM.device) + 0.5) / cells
    v_N = torch.complex(*torch.meshgrid(middle, middle, indexing="xy")).reshape(-1)
    source = deform_rigidly(v_N, p_BM, q_BM, weight_BM)
    return torch.view_as_real(source).unflatten(1, (cells, cells))


def warp_picture(pictures_BCHW: torch.Tensor, field_Bhw2: torch.Tensor) -> torch.Tensor:
    """Pictures sampled where `field_Bhw2` (from `warp_field`) says; the border repeats outside."""
    size = pictures_BCHW.shape[-2:]
    field = F.interpolate(field_Bhw2.permute(0, 3, 1, 2), size=size, mode="bilinear", align_corners=False)
    grid = field.permute(0, 2, 3, 1) * 2 - 1
    return F.grid_sample(pictures_BCHW, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _control_points(keypoints_BK2: torch.Tensor, seen_BK: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Complex positions (B, M) and weights (B, M): the keypoints of upper body, face and hands, points along limbs,
    and the border."""
    upper = torch.cat([torch.arange(13), torch.arange(23, 133)]).to(keypoints_BK2.device)
    first, second = torch.tensor(_LIMBS, device=keypoints_BK2.device).unbind(1)
    share = torch.linspace(0, 1, _BETWEEN + 2, device=keypoints_BK2.device)[1:-1, None]
    along = keypoints_BK2[:, first, None] * (1 - share) + keypoints_BK2[:, second, None] * share
    along_seen = (seen_BK[:, first] * seen_BK[:, second])[..., None].expand(-1, -1, _BETWEEN)
    edge = torch.linspace(0, 1, _BORDER + 1, device=keypoints_BK2.device)[:-1]
    nought, one = torch.zeros_like(edge), torch.ones_like(edge)
    border = torch.stack(
        [torch.cat([edge, one, 1 - edge, nought]), torch.cat([nought, edge, one, 1 - edge])], -1
    ).expand(len(keypoints_BK2), -1, -1)
    points = torch.cat([keypoints_BK2[:, upper], along.flatten(1, 2), border], 1).contiguous()
    weight = torch.cat([seen_BK[:, upper], along_seen.flatten(1), torch.ones_like(border[..., 0])], 1)
    return torch.view_as_complex(points.float()), weight
