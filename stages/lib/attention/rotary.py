"""Rotary position embedding as Wan has it: interleaved pairs of channels, each turned by its own angle.

Axes: B batch, M tokens, H heads, D head width.
"""

import torch


def rotate(x_BMHD: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    """cosine and sine: (..., M, 1, D), each angle twice in a row."""
    even, odd = x_BMHD.unflatten(-1, (-1, 2)).unbind(-1)
    cosine, sine = cosine[..., 0::2], sine[..., 1::2]
    turned = torch.stack([even * cosine - odd * sine, even * sine + odd * cosine], dim=-1)
    return turned.flatten(-2).type_as(x_BMHD)
