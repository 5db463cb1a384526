"""Video frames to latents and back, one frame at a time: 8 x 8 patches become C channels.

A linear patch codec (principal components) is the skip; small residual convolutions at a quarter and an eighth of the
resolution add what lines cannot carry. Starting from the components it is a fair codec before the first step.

Axes: B batch, C channels, H W pixels, h w latent cells.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import register_to_config
from torch import nn

from ..common.base import Model
from .patch_pca import fit_patches

_TOGETHER = 16
"""Frames of a video decoded at once."""
_HALFWAY = 4
"""Pixels a side of the cells that the convolutions near the picture work on."""


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return x_BCHW + self.second(F.silu(self.first(F.silu(x_BCHW))))


def _unshuffled(frames_BCHW: torch.Tensor) -> torch.Tensor:
    """`F.pixel_unshuffle`, channels last: by one copy, in half of its time on a processor."""
    cells = frames_BCHW.permute(0, 2, 3, 1).unflatten(2, (-1, _HALFWAY)).unflatten(1, (-1, _HALFWAY))
    return cells.permute(0, 1, 3, 5, 2, 4).flatten(3).permute(0, 3, 1, 2)


def _silence(layer: nn.Conv2d) -> None:
    for weight in layer.parameters():
        nn.init.zeros_(weight)


def _stack(width: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*[_Residual(width) for _ in range(blocks)])


class Codec(Model):
    """`encode` gives latents of unit variance, `decode` takes them.

    Buffers: `latent_mean`, `latent_std` (C,), the statistics of raw latents over the training frames; `sensitivity`
    (C,), the squared pixel error per squared unit of error in a latent channel.
    """

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 12,
        patch: int = 8,
        encoder_width: int = 48,
        encoder_blocks: int = 1,
        decoder_width: int = 96,
        decoder_blocks: int = 2,
        detail_width: int = 32,
        detail_blocks: int = 1,
    ) -> None:
        super().__init__()
        ratio, pixels = patch // _HALFWAY, 3 * _HALFWAY**2
        self.encode_patches = nn.Conv2d(3, latent_channels, patch, stride=patch)
        self.encode_in = nn.Conv2d(pixels, encoder_width, 3, padding=1)
        self.encode_body = _stack(encoder_width, encoder_blocks)
        self.encode_out = nn.Conv2d(encoder_width, latent_channels, ratio, stride=ratio)
        self.decode_patches = nn.ConvTranspose2d(latent_channels, 3, patch, stride=patch)
        self.decode_in = nn.Conv2d(latent_channels, decoder_width, 3, padding=1)
        self.decode_body = _stack(decoder_width, decoder_blocks)
        self.decode_up = nn.Conv2d(decoder_width, detail_width * ratio**2, 1)
        self.detail_body = _stack(detail_width, detail_blocks)
        self.decode_out = nn.Conv2d(detail_width, pixels, 3, padding=1)
        for layer in (self.encode_out, self.decode_out):
            _silence(layer)
        self.register_buffer("latent_mean", torch.zeros(latent_channels))
        self.register_buffer("latent_std", torch.ones(latent_channels))
        self.register_buffer("sensitivity", torch.ones(latent_channels))

    @property
    def stride(self) -> int:
        """Video frames of a latent frame."""
        return 1

    def freeze_encoder(self) -> "Codec":
        """Only the decoder learns from now on."""
        for layer in (self.encode_patches, self.encode_in, self.encode_body, self.encode_out):
            layer.requires_grad_(False)
        return self

    def encode(self, frames_BCHW: torch.Tensor) -> torch.Tensor:
        """Frames (B, 3, H, W) in -1..1 -> latents (B, C, h, w) float32 of unit variance."""
        raw = self.encode_raw(frames_BCHW).float()
        return (raw - self.latent_mean[:, None, None]) / self.latent_std[:, None, None]

    def decode(self, latents_BChw: torch.Tensor) -> torch.Tensor:
        """Latents -> frames (B, 3, H, W) float32 near -1..1; not clamped, so that gradients pass."""
        return self.decode_raw(latents_BChw * self.latent_std[:, None, None] + self.latent_mean[:, None, None])

    def decode_video(self, latents_CThw: torch.Tensor) -> torch.Tensor:
        """All frames of a window: (T, 3, H, W)."""
        parts = latents_CThw.transpose(0, 1).float().split(_TOGETHER)
        return torch.cat([self.decode(part) for part in parts])

    def decode_frames(self, latents_BCThw: torch.Tensor, frames: Sequence[int]) -> torch.Tensor:
        """The frames `frames` of each window: (B * S, 3, H, W), window by window."""
        return self.decode(latents_BCThw[:, :, list(frames)].transpose(1, 2).flatten(0, 1))

    def encode_raw(self, frames_BCHW: torch.Tensor) -> torch.Tensor:
        """Latents before normalisation."""
        return self.encode_features(frames_BCHW)[-1]

    def encode_features(self, frames_BCHW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the encoder sees at a quarter of the resolution, (B, width, H/4, W/4), and the raw latents of it."""
        x = frames_BCHW.contiguous(memory_format=torch.channels_last)
        detail = self.encode_body(self.encode_in(_unshuffled(x)))
        return detail, self.encode_patches(x) + self.encode_out(detail)

    def decode_raw(self, raw_BChw: torch.Tensor) -> torch.Tensor:
        raw = raw_BChw.contiguous(memory_format=torch.channels_last)
        x = self.decode_up(self.decode_body(self.decode_in(raw)))
        x = F.pixel_shuffle(x, self.config["patch"] // _HALFWAY).contiguous(memory_format=torch.channels_last)
        detail = F.pixel_shuffle(self.decode_out(self.detail_body(x)), _HALFWAY)
        return self.decode_patches(raw).float() + detail.float()

    @torch.no_grad()
    def fit_patches(self, frames_BCHW: torch.Tensor) -> None:
        """Set the linear part to the principal components of the frames' patches, scaled to unit variance."""
        patch, channels = self.config["patch"], self.config["latent_channels"]
        mean, basis, deviation = fit_patches(frames_BCHW, patch, channels)
        scale = deviation.clamp(min=1e-4)
        inwards, outwards = (basis / scale).T, (basis * scale).T
        shape = (channels, 3, patch, patch)
        self.encode_patches.load_state_dict({"weight": inwards.reshape(shape), "bias": -inwards @ mean})
        # a transposed convolution has one bias a colour: the mean's own pattern over a patch is lost, it is tiny
        colour = mean.reshape(3, -1).mean(1)
        self.decode_patches.load_state_dict({"weight": outwards.reshape(shape), "bias": colour})

    @torch.no_grad()
    def fit_statistics(self, frames_BCHW: torch.Tensor, batch: int = 16) -> None:
        """Set mean and deviation of the latents from training frames."""
        raw = torch.cat([self.encode_raw(part).float() for part in frames_BCHW.split(batch)])
        self.latent_mean.copy_(raw.mean((0, 2, 3)))
        self.latent_std.copy_(raw.std((0, 2, 3)).clamp(min=1e-4))

    @torch.no_grad()
    def fit_sensitivity(self, frames_BCHW: torch.Tensor, generator: torch.Generator, batch: int = 16) -> None:
        """Set how much the pictures of training frames change with each latent channel."""
        step = 0.3
        latents = self.encode(frames_BCHW[:batch])
        clean = self.decode(latents)
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        for channel in range(len(self.sensitivity)):
            moved = latents.clone()
            moved[:, channel] += step * noise[:, channel]
            self.sensitivity[channel] = (self.decode(moved) - clean).square().mean() / step**2
