"""Sparse attention where a reference picture is the first frame of the sequence, as in Wan VACE.

All tokens see the reference whole; the reference sees itself, as a first frame does; the rest is eq. 3 of arXiv
2510.02617 under a plan over the other T frames.

Axes: B batch, T frames, N tokens of a frame, M = (1 + T) * N tokens, H heads, D head width.
"""

import torch
import torch.nn.functional as F

from ..plan import AttentionPlan
from .dense import dense_mask
from .gathered import gathered_attention


def referred_attention(
    q_BMHD: torch.Tensor, k_BMHD: torch.Tensor, v_BMHD: torch.Tensor, plan: AttentionPlan
) -> torch.Tensor:
    """(B, M, H, D). The reference's keys lie beside each frame's own: the gathered path does the rest."""
    batch, frames, tokens = plan.region_BTN.shape
    assert q_BMHD.shape[1] == (1 + frames) * tokens, (q_BMHD.shape, plan.region_BTN.shape)
    q_first, k_first, v_first = (x[:, :tokens].transpose(1, 2) for x in (q_BMHD, k_BMHD, v_BMHD))
    still_BNHD = F.scaled_dot_product_attention(q_first, k_first, v_first).transpose(1, 2)

    q, k, v = (x[:, tokens:].reshape(batch * frames, tokens, *x.shape[2:]) for x in (q_BMHD, k_BMHD, v_BMHD))
    k_wide, v_wide = (
        torch.cat([x, first.transpose(1, 2).repeat_interleave(frames, 0)], 1)
        for x, first in ((k, k_first), (v, v_first))
    )
    rows = plan.segments.key_row_P
    k_past, v_past = (x.flatten(0, 1).index_select(0, rows) for x in (k, v))
    moving = gathered_attention(q, k_wide, v_wide, k_past, v_past, plan.segments)
    return torch.cat([still_BNHD, moving.reshape(batch, frames * tokens, *q.shape[2:])], 1)


def referred_mask(plan: AttentionPlan) -> torch.Tensor:
    """The same written out for every pair: (B, M, M) bool, True where query (row) attends to key."""
    tokens = plan.region_BTN.shape[2]
    mask_BMM = F.pad(dense_mask(plan), (tokens, 0, tokens, 0))
    mask_BMM[:, :, :tokens] = True
    return mask_BMM
