"""What stages ask of networks, whichever family they are of: the embedded one (`Codec`, `Denoiser`) or Wan (`wan*`).

Axes: B batch, C latent channels, T latent frames, F video frames, S chosen frames, H W pixels, h w latent cells.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn


class DenoisingNet(nn.Module):
    """Called as (noisy_BCThw, timestep_B, condition, attention) it gives clean latents (B, C, T, h, w), float32."""

    @property
    def patch(self) -> int:
        """Side of a token in latent cells."""
        raise NotImplementedError

    def thaw(self) -> "DenoisingNet":
        """Ready to train: what learns does, the rest stays frozen."""
        raise NotImplementedError

    def save_pretrained(self, folder: Path) -> Any:
        raise NotImplementedError


class VideoCodec(nn.Module):
    """Frames to latents and back. sensitivity: (C,), how much the picture changes with each channel."""

    sensitivity: torch.Tensor

    def decode_video(self, latents_CThw: torch.Tensor) -> torch.Tensor:
        """All frames of a window: (F, 3, H, W) near -1..1."""
        raise NotImplementedError

    def decode_frames(self, latents_BCThw: torch.Tensor, frames: Sequence[int]) -> torch.Tensor:
        """The video frames `frames` of each window: (B * S, 3, H, W), window by window; gradients pass."""
        raise NotImplementedError

    def encode_features(self, frames_S3HW: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What the encoder sees in single pictures, for comparing them."""
        raise NotImplementedError
