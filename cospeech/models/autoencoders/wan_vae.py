"""Wan's video codec: 8 x 8 pixels a cell; the first latent frame is one video frame, each other four.

It is causal: a latent frame depends on those before it, so a window has latents of its own and is not a part of its
clip's; and frames are decoded in order, with what was decoded kept.

Axes: B batch, C latent channels, V control channels, T latent frames, F video frames, H W pixels, h w latent cells.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ...utils.latent_frames import latent_groups
from ..common.protocols import VideoCodec

if TYPE_CHECKING:  # with more of diffusers than most need, which takes as long as torch
    from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan

PROMPTS = "prompts.safetensors"
"""The encoded prompts beside a codec of Wan's and in an export of its student; other exports have none."""


class WanCodec(VideoCodec):
    """Frozen. All channels count alike: their latents have unit variance and no decoder of ours says more."""

    def __init__(self, vae: "AutoencoderKLWan") -> None:
        super().__init__()
        self.vae = vae.eval().requires_grad_(False)
        self.register_buffer("sensitivity", torch.ones(vae.config["z_dim"]), persistent=False)

    @classmethod
    def from_pretrained(cls, folder: Path) -> "WanCodec":
        from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan

        return cls(AutoencoderKLWan.from_pretrained(folder))

    def save_pretrained(self, folder: Path) -> None:
        self.vae.register_to_config(_name_or_path="")  # equal codecs give equal bytes, wherever they came from
        self.vae.save_pretrained(folder)

    @property
    def stride(self) -> int:
        """Video frames of a latent frame."""
        return int(self.vae.config["scale_factor_temporal"])

    @torch.no_grad()
    def encode_video(self, frames_F3HW: torch.Tensor) -> torch.Tensor:
        """A window, (C, T, h, w)."""
        return encode_video(self.vae, frames_F3HW.transpose(0, 1)[None])[0]

    @torch.no_grad()
    def encode_pictures(self, frames_S3HW: torch.Tensor) -> torch.Tensor:
        """Single frames, each a video of its own: (S, C, h, w)."""
        return torch.cat([encode_video(self.vae, frame[None, :, None])[:, :, 0] for frame in frames_S3HW])

    def part_encoder(self) -> "PartEncoder":
        return PartEncoder(self.vae)

    def part_decoder(self) -> "PartDecoder":
        return PartDecoder(self.vae)

    def decode_video(self, latents_CThw: torch.Tensor) -> torch.Tensor:
        return decode_video(self.vae, latents_CThw[None].float())[0].transpose(0, 1)

    def decode_frames(self, latents_BCThw: torch.Tensor, frames: Sequence[int]) -> torch.Tensor:
        """The forward pass is exact. Gradients pass through the latent frames that hold a chosen frame, not through
        what the decoder keeps of earlier ones: memory is that of the chosen, however long the window."""
        vae, count = self.vae, latents_BCThw.shape[2]
        groups = latent_groups(1 + (count - 1) * self.stride, self.stride)
        wanted = {frame: next(i for i, (_, stop) in enumerate(groups) if frame < stop) for frame in frames}
        mean, deviation = _statistics(vae)
        x_BCThw = vae.post_quant_conv((latents_BCThw.float() * deviation + mean).to(vae.dtype))
        vae.clear_cache()
        decoded: dict[int, torch.Tensor] = {}
        for index in range(max(wanted.values()) + 1):
            with torch.set_grad_enabled(torch.is_grad_enabled() and index in wanted.values()):
                part_B3FHW = vae.decoder(
                    x_BCThw[:, :, index : index + 1], feat_cache=vae._feat_map, feat_idx=[0], first_chunk=index == 0
                )
            vae._feat_map = [kept.detach() if torch.is_tensor(kept) else kept for kept in vae._feat_map]
            if index in wanted.values():
                decoded[index] = part_B3FHW.float().clamp(-1, 1)
        vae.clear_cache()
        shown = [decoded[index][:, :, frame - groups[index][0]] for frame, index in wanted.items()]
        return torch.stack(shown, 1).flatten(0, 1)

    def encode_features(self, frames_S3HW: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The latents of each as a picture."""
        video_S31HW = frames_S3HW[:, :, None].to(self.vae.dtype)
        return (self.vae.encode(video_S31HW).latent_dist.mode()[:, :, 0].float(),)


class PartEncoder:
    """`encode_video` of a video that comes in parts; keeps what its causal convolutions look back at."""

    def __init__(self, vae: "AutoencoderKLWan") -> None:
        self._vae = vae
        self._kept: list[object] = [None] * vae._cached_conv_counts["encoder"]

    @torch.no_grad()
    def push(self, frames_F3HW: torch.Tensor) -> torch.Tensor:
        """The next latent frame, (C, h, w): of the first frame, then of four each."""
        vae, (mean, deviation) = self._vae, _statistics(self._vae)
        video_13FHW = frames_F3HW.transpose(0, 1)[None].to(vae.dtype)
        seen = vae.quant_conv(vae.encoder(video_13FHW, feat_cache=self._kept, feat_idx=[0]))
        return ((seen.chunk(2, 1)[0].float() - mean) / deviation)[0, :, 0]


class PartDecoder:
    """`decode_video` of latents that come in parts."""

    def __init__(self, vae: "AutoencoderKLWan") -> None:
        self._vae, self._first = vae, True
        self._kept: list[object] = [None] * vae._cached_conv_counts["decoder"]

    @torch.no_grad()
    def push(self, latent_Chw: torch.Tensor) -> torch.Tensor:
        """Of the next latent frame: the first frame, then four each, (F, 3, H, W) in -1..1."""
        vae, (mean, deviation) = self._vae, _statistics(self._vae)
        x = vae.post_quant_conv((latent_Chw.float()[None, :, None] * deviation + mean).to(vae.dtype))
        made = vae.decoder(x, feat_cache=self._kept, feat_idx=[0], first_chunk=self._first)
        self._first = False
        return made[0].float().clamp(-1, 1).transpose(0, 1)


@torch.no_grad()
def encode_video(vae: "AutoencoderKLWan", video_B3FHW: torch.Tensor) -> torch.Tensor:
    """Frames in -1..1 to latents (B, C, T, h, w) of unit variance; T is 1 + (F - 1) / 4, h and w an eighth of H and W.

    Raises:
        ValueError: F is not one more than a multiple of 4.
    """
    frames, factor = video_B3FHW.shape[2], vae.config["scale_factor_temporal"]
    if (frames - 1) % factor:
        raise ValueError(f"Wan's codec takes 1 frame and then groups of {factor}: {frames} frames do not fit")
    mean, deviation = _statistics(vae)
    return (vae.encode(video_B3FHW.to(vae.dtype)).latent_dist.mode().float() - mean) / deviation


def decode_video(vae: "AutoencoderKLWan", latents_BCThw: torch.Tensor) -> torch.Tensor:
    """Latents to frames (B, 3, F, H, W) in -1..1; gradients pass."""
    mean, deviation = _statistics(vae)
    return vae.decode((latents_BCThw * deviation + mean).to(vae.dtype), return_dict=False)[0].float()


def _statistics(vae: "AutoencoderKLWan") -> tuple[torch.Tensor, torch.Tensor]:
    def shaped(values: list[float]) -> torch.Tensor:
        return torch.tensor(values, device=vae.device).view(1, -1, 1, 1, 1)

    return shaped(vae.config["latents_mean"]), shaped(vae.config["latents_std"])


def join_control(
    still_BChw: torch.Tensor, kept_BCThw: torch.Tensor, redrawn_BCThw: torch.Tensor, cells: int
) -> torch.Tensor:
    """What VACE is controlled by: (B, 2 C + M, 1 + T, h, w), as `WanVACEPipeline` prepares it.

    The reference comes first: its latents, nothing, and a mask of 0. Then each latent frame of the skeleton video: what
    is to be kept (nothing: an empty video), what is to be redrawn (all), and a mask of 1 for each of the M `cells`.
    """
    still = still_BChw[:, :, None]
    mask = redrawn_BCThw.new_ones(len(redrawn_BCThw), cells, *redrawn_BCThw.shape[2:])
    first = torch.cat([still, torch.zeros_like(still), torch.zeros_like(mask[:, :, :1])], 1)
    return torch.cat([first, torch.cat([kept_BCThw, redrawn_BCThw, mask], 1)], 2)


def encode_control(vae: "AutoencoderKLWan", poses_B3FHW: torch.Tensor, reference_B3HW: torch.Tensor) -> torch.Tensor:
    """`join_control` of a skeleton video and a picture."""
    kept, redrawn = encode_video(vae, torch.zeros_like(poses_B3FHW)), encode_video(vae, poses_B3FHW)
    still = encode_video(vae, reference_B3HW[:, :, None])[:, :, 0]
    return join_control(still, kept, redrawn, vae.config["scale_factor_spatial"] ** 2)
