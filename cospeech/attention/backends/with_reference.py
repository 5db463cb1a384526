"""Sparse attention where a reference picture is the first frame of the sequence, as in Wan VACE.

All tokens see the reference whole; the reference sees itself, as a first frame does; the rest is eq. 3 of arXiv
2510.02617 under a plan over the other T frames.

Axes: B batch, T frames, N tokens of a frame, M = (1 + T) * N tokens, H heads, D head width.
"""

import torch
import torch.nn.functional as F

from .two_part import TwoPart


def attend_with_reference(
    q_BMHD: torch.Tensor, k_BMHD: torch.Tensor, v_BMHD: torch.Tensor, backend: TwoPart
) -> torch.Tensor:
    """(B, M, H, D). The reference's keys lie beside each frame's own: `backend` does the rest."""
    batch, tokens = len(q_BMHD), backend.tokens
    q_first, k_first, v_first = (x[:, :tokens].transpose(1, 2) for x in (q_BMHD, k_BMHD, v_BMHD))
    still_BNHD = F.scaled_dot_product_attention(q_first, k_first, v_first).transpose(1, 2)

    q, k, v = (x[:, tokens:].reshape(-1, tokens, *x.shape[2:]) for x in (q_BMHD, k_BMHD, v_BMHD))
    k_wide, v_wide = (
        torch.cat([x, first.transpose(1, 2).repeat_interleave(len(x) // batch, 0)], 1)
        for x, first in ((k, k_first), (v, v_first))
    )
    moving = backend.attend_frames(q, k_wide, v_wide, backend.past_rows(k), backend.past_rows(v))
    return torch.cat([still_BNHD, moving.reshape(batch, -1, *q.shape[2:])], 1)
