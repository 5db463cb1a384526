"""What stages ask of networks, whichever family they are of: the embedded one (`Codec`, `Denoiser`) or Wan (`wan*`).

The embedded ones are models of diffusers first, which the type checker does not look into; they have these methods too.

Axes: B batch, C latent channels, T latent frames, F video frames, S chosen frames, H W pixels, h w latent cells.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import torch
from torch import nn

from .tensor_record import WindowCondition

if TYPE_CHECKING:
    from ...attention.kv_cache import StreamStep

Taken = TypeVar("Taken", bound=WindowCondition, contravariant=True)


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
    def save_pretrained(self, folder: Path) -> None:
        """So that it can be loaded again."""


class StreamingNet(Protocol[Taken]):
    """A student ready to draw as a stream, its times fixed; any number of streams share it. It takes the conditions of
    its family."""

    @property
    def times(self) -> Sequence[float]:
        """From 1 to 0: one more than steps."""

    @property
    def steps(self) -> Sequence[Callable[[torch.Tensor, Taken, "StreamStep"], torch.Tensor]]:
        """Noisy latents of a chunk (1, C, T, h, w), its condition and what of the past was kept, to clean latents."""

    @property
    def patch(self) -> int: ...

    @property
    def longest(self) -> int:
        """Most latent frames that its positions reach."""

    @property
    def device(self) -> torch.device: ...

    def position_turns(self, frames: int, cells: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosine and sine of the rotary embedding of every token of so many frames: (T * N, 1, D) each."""


class VideoCodec(nn.Module, ABC):
    """Frames to latents and back. sensitivity: (C,), how much the picture changes with each channel."""

    sensitivity: torch.Tensor

    @property
    @abstractmethod
    def stride(self) -> int:
        """Video frames of a latent frame (but the first, which holds one)."""

    @abstractmethod
    def decode_video(self, latents_CThw: torch.Tensor) -> torch.Tensor:
        """All frames of a window: (F, 3, H, W) near -1..1."""

    @abstractmethod
    def decode_frames(self, latents_BCThw: torch.Tensor, frames: Sequence[int]) -> torch.Tensor:
        """The video frames `frames` of each window: (B * S, 3, H, W), window by window; gradients pass."""

    @abstractmethod
    def encode_features(self, frames_S3HW: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What the encoder sees in single pictures, for comparing them."""
