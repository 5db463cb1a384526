"""The denoiser: noisy latents, a pose a frame and one reference picture to clean latents. Teacher and student are this.

A Wan transformer (diffusers) between 3 x 3 convolutions on the latent grid. The output is a gated copy of the
reference, where it stands or deformed to the pose, plus a correction: what is there already need not be learned.

Axes: B batch, C latent channels, P pose channels, T frames, h w latent cells, S = B * T pictures, W convolution width.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import register_to_config
from torch import nn

from ...attention.kv_cache import StreamStep
from ...attention.plan import AttentionPlan
from ...attention.processors import ConstantCrossAttention, WanSelfAttention, set_self_attention
from ..common.base import Model
from ..common.tensor_record import WindowCondition

_TEXT_DIM = 8
"""Wan expects text; it gets one constant token."""


@dataclass(frozen=True)
class Condition(WindowCondition):
    """What a window is drawn from. Channels as the codec and the pose encoder give them.

    warped_BCThw: the reference deformed to the poses (`Warper`); needed if the denoiser's config says so.
    """

    pose_BPThw: torch.Tensor
    reference_BChw: torch.Tensor
    reference_pose_BPhw: torch.Tensor
    warped_BCThw: torch.Tensor | None = None

    def frames(self, start: int, stop: int) -> "Condition":
        warped = None if self.warped_BCThw is None else self.warped_BCThw[:, :, start:stop]
        return Condition(self.pose_BPThw[:, :, start:stop], self.reference_BChw, self.reference_pose_BPhw, warped)


def gather_inputs(noisy_BCThw: torch.Tensor, condition: Condition, reference_warp: bool) -> torch.Tensor:
    """All channels that a denoiser sees, in the precision of `noisy_BCThw`: (B, channels, T, h, w).

    Raises:
        ValueError: the reference deformed to the poses is needed and not there.
    """
    still = torch.cat([condition.reference_BChw, condition.reference_pose_BPhw], 1)
    parts = [noisy_BCThw, condition.pose_BPThw, still[:, :, None].expand(-1, -1, noisy_BCThw.shape[2], -1, -1)]
    if reference_warp:
        if condition.warped_BCThw is None:
            raise ValueError("this denoiser needs the reference deformed to the poses: Condition.warped_BCThw is None")
        parts.append(condition.warped_BCThw)
    return torch.cat([part.to(noisy_BCThw) for part in parts], 1)


def add_reference(out_BKThw: torch.Tensor, condition: Condition, channels: int) -> torch.Tensor:
    """Clean latents (B, C, T, h, w) float32 from a denoiser's last layer: a correction of C channels, the gate of the
    copied reference and, where there is one more, the share of the deformed reference in the copy."""
    out_BKThw, copied = out_BKThw.float(), condition.reference_BChw[:, :, None].float()
    correction, gate, share = out_BKThw.tensor_split([channels, channels + 1], 1)
    if share.shape[1]:
        assert condition.warped_BCThw is not None  # `gather_inputs` has seen it
        copied = torch.lerp(copied, condition.warped_BCThw.float(), torch.sigmoid(share))
    return correction + torch.sigmoid(gate + 1.0) * copied


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class Denoiser(Model):
    """Predicts clean latents from noisy ones (x0 prediction)."""

    _supports_gradient_checkpointing = False

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 12,
        pose_channels: int = 32,
        width: int = 192,
        layers: int = 4,
        heads: int = 4,
        ffn_ratio: int = 3,
        conv_width: int = 64,
        patch: int = 2,
        max_frames: int = 64,
        reference_warp: bool = False,
    ) -> None:
        from diffusers.models.transformers.transformer_wan import WanTransformer3DModel  # takes as long as torch

        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of heads {heads}")
        w = conv_width
        self.conv_in = _conv(2 * (latent_channels + pose_channels) + latent_channels * reference_warp, w)
        self.conv_mix = _conv(w, w)
        self.transformer = WanTransformer3DModel(
            patch_size=(1, patch, patch),
            num_attention_heads=heads,
            attention_head_dim=width // heads,
            in_channels=w,
            out_channels=w,
            text_dim=_TEXT_DIM,
            freq_dim=64,
            ffn_dim=ffn_ratio * width,
            num_layers=layers,
            cross_attn_norm=False,
            rope_max_seq_len=max_frames,
        )
        self.modulation = nn.Sequential(nn.Linear(1, 32), nn.SiLU(), nn.Linear(32, 2 * w))
        self.conv_join = _conv(2 * w, w)
        self.conv_out1 = _conv(w, w)
        self.conv_out2 = _conv(w, w)
        self.conv_last = _conv(w, latent_channels + 1 + reference_warp)
        for weight in self.conv_last.parameters():
            nn.init.zeros_(weight)
        self.self_attention = WanSelfAttention()
        set_self_attention(self.transformer, self.self_attention)
        for block in self.transformer.blocks:
            block.attn2.set_processor(ConstantCrossAttention())

    @property
    def patch(self) -> int:
        """Side of a token in latent cells."""
        return int(self.config["patch"])

    def thaw(self) -> "Denoiser":
        """Ready to train: all of it learns."""
        return self.train().requires_grad_(True)

    def forward(
        self,
        noisy_BCThw: torch.Tensor,
        timestep_B: torch.Tensor,
        condition: Condition,
        attention: AttentionPlan | StreamStep | None = None,
    ) -> torch.Tensor:
        """Clean latents (B, C, T, h, w) float32.

        Args:
            timestep_B: from 1 (noise) to 0 (clean).
            attention: which tokens attend to which, or what of the past a stream kept; None: all to all.
        """
        B, C, T = noisy_BCThw.shape[:3]
        detail_SWhw = self._enter(noisy_BCThw, condition)
        self.self_attention.plan = attention
        try:
            mixed_BWThw = self.transformer(
                detail_SWhw.unflatten(0, (B, T)).transpose(1, 2),
                timestep_B * 1000,
                noisy_BCThw.new_zeros(B, 1, _TEXT_DIM),
                return_dict=False,
            )[0]
        finally:
            self.self_attention.plan = None
        mixed_SWhw = mixed_BWThw.transpose(1, 2).flatten(0, 1).to(detail_SWhw.dtype)
        out = self._leave(mixed_SWhw, detail_SWhw, timestep_B.repeat_interleave(T))
        out = out.unflatten(0, (B, T)).transpose(1, 2)
        return add_reference(out, condition, C)

    def _enter(self, noisy_BCThw: torch.Tensor, condition: Condition) -> torch.Tensor:
        x = gather_inputs(noisy_BCThw, condition, self.config["reference_warp"])
        x = x.transpose(1, 2).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        x = F.silu(self.conv_in(x))
        return x + F.silu(self.conv_mix(x))

    def _leave(self, mixed_SWhw: torch.Tensor, detail_SWhw: torch.Tensor, timestep_S: torch.Tensor) -> torch.Tensor:
        scale, shift = self.modulation(timestep_S[:, None] * 2 - 1)[..., None, None].chunk(2, 1)
        x = F.silu(self.conv_join(torch.cat([mixed_SWhw, detail_SWhw], 1)) * (1 + scale) + shift)
        x = x + self.conv_out2(F.silu(self.conv_out1(x)))
        return self.conv_last(F.silu(x))
