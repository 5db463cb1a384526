"""Input-aware sparse attention, fast: eq. 3 of arXiv 2510.02617, by the way that is the fastest.

Axes: B batch, T frames, N tokens of a frame, M = T*N tokens, H heads, D head width.
"""

from typing import Literal

import torch

from .backends.dense import dense_attention
from .backends.flex import flex_attention
from .backends.gathered import gathered_attention
from .plan import AttentionPlan

Method = Literal["auto", "gathered", "masked", "flex"]
"""masked: a mask over all pairs. auto: that for few tokens on a processor, else gathered."""
_FEW = 400
"""Tokens of a window. On 2 cores of a Xeon, both ways, masked takes 0.6 of the time of gathered at 256 tokens, 0.7 at
384 and 1.1 at 512, forward alone 4 times as long at 2048."""


def sparse_attention(
    q_BMHD: torch.Tensor,
    k_BMHD: torch.Tensor,
    v_BMHD: torch.Tensor,
    plan: AttentionPlan,
    method: Method = "auto",
) -> torch.Tensor:
    """softmax(q k^T / sqrt(D) + M) v with M of eq. 3; M = T*N tokens, frame by frame. Equal to `dense_attention`."""
    batch, frames, tokens = plan.region_BTN.shape
    assert q_BMHD.shape[:2] == (batch, frames * tokens), (q_BMHD.shape, plan.region_BTN.shape)
    if method == "masked" or (method == "auto" and q_BMHD.device.type == "cpu" and frames * tokens < _FEW):
        return dense_attention(q_BMHD, k_BMHD, v_BMHD, plan)
    if method == "flex":
        return flex_attention(q_BMHD, k_BMHD, v_BMHD, plan)
    q, k, v = (x.reshape(batch * frames, tokens, *x.shape[2:]) for x in (q_BMHD, k_BMHD, v_BMHD))
    rows = plan.segments.key_row_P
    k_past, v_past = (x.flatten(0, 1).index_select(0, rows) for x in (k, v))
    return gathered_attention(q, k, v, k_past, v_past, plan.segments).view_as(q_BMHD)
