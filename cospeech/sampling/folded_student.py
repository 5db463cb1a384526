"""The student's denoising steps in a stream, with all that is the same for every frame worked out before.

The time of a step is fixed. So its modulation of the transformer's norms becomes their weight and bias, that of the
branches a factor of their last layer; text attention, to one constant token, becomes a bias; queries, keys and values
come from one product, in weights of the precision that is drawn in. Same networks, same numbers up to rounding
(tests/cospeech/sampling/test_folded_student.py), for 0.82 to 0.88 of the processor time (docs/guides/speaking.md).

Axes: T frames, N tokens of a frame, M = T*N, W width, H heads, D head width, C latent channels, E convolution width,
P pose channels, h w latent cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from ..attention.kv_cache import StreamStep
from ..attention.rotary import wan_positions
from ..models.transformers.denoiser import Condition, Denoiser, add_reference, gather_inputs
from .quantization import Arithmetic

if TYPE_CHECKING:
    from diffusers.models.transformers.transformer_wan import WanTransformerBlock


class LeanStudent:
    """A student at each of its times: a `StreamingNet`."""

    def __init__(self, denoiser: Denoiser, times: Sequence[float], arithmetic: Arithmetic) -> None:
        """times: from 1 to 0, as `sampling.timesteps` gives them."""
        self.denoiser, self.times, self.arithmetic = denoiser, tuple(times), arithmetic
        self.steps = [
            LeanStep(denoiser, time, arithmetic, f"student.{index}") for index, time in enumerate(self.times[:-1])
        ]

    @property
    def patch(self) -> int:
        return self.denoiser.patch

    @property
    def longest(self) -> int:
        return int(self.denoiser.config["max_frames"])

    @property
    def device(self) -> torch.device:
        return self.denoiser.device

    def position_turns(self, frames: int, cells: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        return wan_positions(self.denoiser.transformer, frames, cells)


@dataclass(frozen=True)
class Norm:
    """Layer norm with a modulation as its weight and bias."""

    weight: torch.Tensor
    bias: torch.Tensor
    eps: float

    @classmethod
    def of(cls, scale: torch.Tensor, shift: torch.Tensor, eps: float, dtype: torch.dtype) -> "Norm":
        return cls((1 + scale).to(dtype), shift.to(dtype), eps)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


class LeanBlock:
    """A Wan block at a fixed time; `key` tells its layer from others."""

    def __init__(
        self,
        name: str,
        block: "WanTransformerBlock",
        timestep_6W: torch.Tensor,
        text_11W: torch.Tensor,
        arithmetic: Arithmetic,
    ) -> None:
        shift, scale, gate, c_shift, c_scale, c_gate = block.scale_shift_table[0] + timestep_6W
        attn, self.key, dtype = block.attn1, block.attn1, arithmetic.dtype
        self.heads, self.norm1, self.norm3 = (
            attn.heads,
            Norm.of(scale, shift, block.norm1.eps, dtype),
            Norm.of(c_scale, c_shift, block.norm3.eps, dtype),
        )
        parts = (attn.to_q, attn.to_k, attn.to_v)
        weight, bias = torch.cat([x.weight for x in parts]), torch.cat([x.bias for x in parts])
        self.qkv = arithmetic.linear(f"{name}.qkv", weight, bias)
        self.qk_weight_2W = torch.stack([attn.norm_q.weight, attn.norm_k.weight]).float()
        self.qk_eps = attn.norm_q.eps
        text_W = block.attn2(block.norm2(text_11W), text_11W, None, None)[0, 0]
        self.out = arithmetic.linear(f"{name}.out", *_gated(attn.to_out[0], gate, text_W))
        rise, fall = block.ffn.net[0].proj, block.ffn.net[2]
        self.rise = arithmetic.linear(f"{name}.rise", rise.weight, rise.bias, gelu=True, into=f"{name}.fall")
        self.fall = arithmetic.linear(f"{name}.fall", *_gated(fall, c_gate))

    def __call__(self, x_MW: torch.Tensor, step: StreamStep) -> torch.Tensor:
        q_MW, k_MW, v_MW = self.qkv(self.norm1(x_MW)).chunk(3, 1)
        qk_M2W = torch.stack([q_MW, k_MW], 1).float()
        qk_M2W = F.rms_norm(qk_M2W, qk_M2W.shape[2:], None, self.qk_eps) * self.qk_weight_2W
        q_MHD, k_MHD = (x.unflatten(1, (self.heads, -1)) for x in qk_M2W.unbind(1))
        attended = step.attend(self.key, q_MHD[None], k_MHD[None], v_MW.unflatten(1, (self.heads, -1))[None])
        x_MW = x_MW + self.out(attended[0].flatten(1))
        return x_MW + self.fall(self.rise(self.norm3(x_MW)))


class LeanStep:
    """`Denoiser.forward` of one video (B is 1) at one time, under a `StreamStep`."""

    def __init__(self, denoiser: Denoiser, time: float, arithmetic: Arithmetic, name: str) -> None:
        """name: of this step, before those of its layers."""
        self._dtype, self._config = arithmetic.dtype, denoiser.config
        with torch.no_grad(), torch.autocast(denoiser.device.type, enabled=False):
            transformer, device = denoiser.transformer, denoiser.device
            timestep_1 = torch.full((1,), time, device=device)
            text = torch.zeros(1, 1, transformer.config.text_dim, device=device)
            temb_1W, projected, text_11W, _ = transformer.condition_embedder(timestep_1 * 1000, text)
            timestep_6W = projected[0].unflatten(0, (6, -1))
            self._blocks = [
                LeanBlock(f"{name}.{index}", block, timestep_6W, text_11W, arithmetic)
                for index, block in enumerate(transformer.blocks)
            ]
            shift, scale = transformer.scale_shift_table[0] + temb_1W
            self._norm = Norm.of(scale, shift, transformer.norm_out.eps, arithmetic.dtype)
            embed, out = transformer.patch_embedding, transformer.proj_out
            cells = embed.weight.squeeze(2).permute(0, 2, 3, 1).flatten(1)
            self._embed = arithmetic.linear(f"{name}.embed", cells, embed.bias)
            self._project = arithmetic.linear(f"{name}.project", out.weight, out.bias)
            self._convolutions = {
                layer: arithmetic.convolution(f"{name}.{layer}", *weights)
                for layer, weights in _convolutions(denoiser, timestep_1).items()
            }

    @torch.no_grad()
    def __call__(self, noisy_1CThw: torch.Tensor, condition: Condition, step: StreamStep) -> torch.Tensor:
        """Clean latents (1, C, T, h, w) float32."""
        with torch.autocast(noisy_1CThw.device.type, enabled=False):
            detail = self._enter(noisy_1CThw, condition)
            out_TKhw = self._leave(self._mix(detail, step), detail)
            return add_reference(out_TKhw.transpose(0, 1)[None], condition, noisy_1CThw.shape[1])

    def _enter(self, noisy_1CThw: torch.Tensor, condition: Condition) -> torch.Tensor:
        """(T, E, h, w)."""
        conv = self._convolutions
        x = gather_inputs(noisy_1CThw.to(self._dtype), condition, self._config["reference_warp"])[0].transpose(0, 1)
        x = F.silu(conv["in"](x.contiguous(memory_format=torch.channels_last)))
        return x + F.silu(conv["mix"](x))

    def _mix(self, detail_TEhw: torch.Tensor, step: StreamStep) -> torch.Tensor:
        """Through the transformer, (T, E, h, w)."""
        T, E, height, width = detail_TEhw.shape
        side = self._config["patch"]
        cells = detail_TEhw.permute(0, 2, 3, 1).reshape(T, height // side, side, width // side, side, E)
        x_MW = self._embed(cells.permute(0, 1, 3, 2, 4, 5).reshape(-1, side * side * E))
        for block in self._blocks:
            x_MW = block(x_MW, step)
        out = self._project(self._norm(x_MW)).view(T, height // side, width // side, side, side, E)
        return out.permute(0, 1, 3, 2, 4, 5).reshape(T, height, width, E).permute(0, 3, 1, 2)

    def _leave(self, mixed_TEhw: torch.Tensor, detail_TEhw: torch.Tensor) -> torch.Tensor:
        conv = self._convolutions
        x = F.silu(conv["join"](torch.cat([mixed_TEhw, detail_TEhw], 1)))
        x = x + conv["out2"](F.silu(conv["out1"](x)))
        return conv["last"](F.silu(x))


def _convolutions(denoiser: Denoiser, timestep_1: torch.Tensor) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Weight and bias by name, the time's modulation in those of "join"."""
    layers: dict[str, nn.Conv2d] = {
        "in": denoiser.conv_in,
        "mix": denoiser.conv_mix,
        "join": denoiser.conv_join,
        "out1": denoiser.conv_out1,
        "out2": denoiser.conv_out2,
        "last": denoiser.conv_last,
    }
    weights: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    for name, layer in layers.items():
        assert layer.bias is not None
        weights[name] = layer.weight, layer.bias
    scale, shift = denoiser.modulation(timestep_1[:, None] * 2 - 1)[0].chunk(2)
    weight, bias = weights["join"]
    weights["join"] = weight * (1 + scale)[:, None, None, None], bias * (1 + scale) + shift
    return weights


def _gated(
    layer: nn.Linear, gate_W: torch.Tensor, more_W: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias."""
    bias = layer.bias * gate_W
    return layer.weight * gate_W[:, None], bias if more_W is None else bias + more_W
