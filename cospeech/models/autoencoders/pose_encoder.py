"""Skeleton pictures to a few channels on the latent grid: patches and their principal components, nothing learned.

Axes: B batch, C colours, H W pixels, P channels, h w cells.
"""

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import register_to_config

from ..common.base import Model
from .patch_pca import fit_patches

_LIMIT = 6.0
"""Deviations beyond which a channel is cut; rare colours have long tails."""


class PoseEncoder(Model):
    """Buffers: `weight` (P, 3, patch, patch) and `bias` (P,) of the one linear map."""

    @register_to_config
    def __init__(self, channels: int = 32, patch: int = 8) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(channels, 3, patch, patch))
        self.register_buffer("bias", torch.zeros(channels))

    @torch.no_grad()
    def fit(self, pictures_BCHW: torch.Tensor) -> None:
        """Set the components from pictures (B, 3, H, W) in 0..1; each channel then has unit variance."""
        mean, basis, deviation = fit_patches(pictures_BCHW, self.config["patch"], self.config["channels"])
        # components that hardly occur in these pictures must not turn into noise on others
        inwards = (basis / deviation.clamp(min=1e-3)).T
        self.weight.copy_(inwards.reshape(self.weight.shape))
        self.bias.copy_(-inwards @ mean)

    @torch.no_grad()
    def encode(self, pictures_BCHW: torch.Tensor) -> torch.Tensor:
        """Pictures (B, 3, H, W) in 0..1 -> (B, P, h, w) float32."""
        encoded = F.conv2d(pictures_BCHW, self.weight, self.bias, stride=self.config["patch"])
        return encoded.float().clamp(-_LIMIT, _LIMIT)
