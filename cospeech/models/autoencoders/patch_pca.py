"""Principal components of square image patches: the linear part of the codec and of the pose encoder.

Axes: B batch, C image channels, P components, F = C * patch * patch values of a patch, N patches.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F


class PatchComponents(NamedTuple):
    """mean (F,), basis (F, P) with orthonormal columns, deviation (P,) of the components; F in the order (C, y, x)."""

    mean: torch.Tensor
    basis: torch.Tensor
    deviation: torch.Tensor


def fit_patches(pictures_BCHW: torch.Tensor, patch: int, components: int) -> PatchComponents:
    """Principal components of all patches, strongest first, signs fixed (the largest entry of each is positive)."""
    values_NF = F.pixel_unshuffle(pictures_BCHW, patch).permute(0, 2, 3, 1).flatten(0, 2).double()
    mean = values_NF.mean(0)
    centred = values_NF - mean
    variance, basis = torch.linalg.eigh(centred.T @ centred / len(centred))
    variance, basis = variance.flip(0)[:components], basis.flip(1)[:, :components]
    largest = basis.gather(0, basis.abs().argmax(0, keepdim=True))
    basis = basis * largest.sign()
    return PatchComponents(mean.float(), basis.float().contiguous(), variance.clamp(min=0).sqrt().float())
