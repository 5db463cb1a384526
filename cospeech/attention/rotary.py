"""Rotary position embedding as Wan has it: interleaved pairs of channels, each turned by its own angle.

As complex numbers it is one product, which a stream uses; training keeps to real ones.

Axes: B batch, M tokens, H heads, D head width.
"""

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel


def wan_positions(
    transformer: "WanTransformer3DModel", frames: int, cells: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosine and sine of every token of so many frames, as a Wan transformer of diffusers has them: (T * N, 1, D) each.

    cells: latent cells down and across.
    """
    cosine, sine = transformer.rope(torch.empty(1, 1, frames, *cells, device="meta"))
    return cosine[0], sine[0]


def apply_rotary_emb(x_BMHD: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    """Turn each pair of channels. cosine and sine: (..., M, 1, D), each angle twice in a row."""
    even, odd = x_BMHD.unflatten(-1, (-1, 2)).unbind(-1)
    cosine, sine = cosine[..., 0::2], sine[..., 1::2]
    turned = torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1)
    return turned.flatten(-2).type_as(x_BMHD)


def rope_factors(cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    """Factors of modulus 1 for `apply_rope_factors`, (..., D / 2) complex64, from what `apply_rotary_emb` takes."""
    return torch.complex(cosine[..., 0::2].float(), sine[..., 1::2].float())


def apply_rope_factors(x: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """`apply_rotary_emb` by `rope_factors`: (..., D) -> the same in float32."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * factors).flatten(-2)
