"""What stages ask of networks, whichever family they are of: the embedded one (`Codec`, `Denoiser`) or Wan (`wan*`).

The embedded ones are models of diffusers first, which the type checker does not look into; they have these methods too.

Axes: B batch, C latent channels, T latent frames, F video frames, S chosen frames, H W pixels, h w latent cells.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn


class DenoisingNet(nn.Module, ABC):
    """Called as (noisy_BCThw, timestep_B, condition, attention) it gives clean latents (B, C, T, h, w), float32."""

    @property
    @abstractmethod
    def patch(self) -> int:
        """Side of a token in latent cells."""

    @abstractmethod
    def thaw(self) -> "DenoisingNet":
        """Ready to train: what learns does, the rest stays frozen."""

    @abstractmethod
    def save_pretrained(self, folder: Path) -> Any:
        """So that it can be loaded again."""


class VideoCodec(nn.Module, ABC):
    """Frames to latents and back. sensitivity: (C,), how much the picture changes with each channel."""

    sensitivity: torch.Tensor

    @abstractmethod
    def decode_video(self, latents_CThw: torch.Tensor) -> torch.Tensor:
        """All frames of a window: (F, 3, H, W) near -1..1."""

    @abstractmethod
    def decode_frames(self, latents_BCThw: torch.Tensor, frames: Sequence[int]) -> torch.Tensor:
        """The video frames `frames` of each window: (B * S, 3, H, W), window by window; gradients pass."""

    @abstractmethod
    def encode_features(self, frames_S3HW: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What the encoder sees in single pictures, for comparing them."""
