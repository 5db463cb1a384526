"""Many small attentions of unlike lengths in one call, none of them padded: how a GPU does the part between frames.

Axes: S segments, Q query rows and P key rows of all segments, one segment after another, H heads, D head width.
"""

import math
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any

import torch

from .sdpa_lse import ALIGN, attend, attend_backward, no_dropout, takes_efficient, takes_flash

_ATEN: Any = torch.ops.aten


@dataclass(frozen=True)
class Lengths:
    """query_end, key_end: (S + 1,) int32, where each segment's rows end, after a 0. queries, keys: of the longest."""

    query_end: torch.Tensor
    key_end: torch.Tensor
    queries: int
    keys: int

    @classmethod
    def of(cls, queries: list[int], keys: list[int]) -> "Lengths":
        query_end, key_end = (torch.tensor([0, *accumulate(each)], dtype=torch.int32) for each in (queries, keys))
        return cls(query_end, key_end, max(queries, default=0), max(keys, default=0))

    def to(self, device: torch.device) -> "Lengths":
        return replace(self, query_end=self.query_end.to(device), key_end=self.key_end.to(device))

    @property
    def rows(self) -> list[tuple[slice, slice]]:
        """Query rows and key rows of each segment."""
        query, key = (pairwise(end.tolist()) for end in (self.query_end, self.key_end))
        return [(slice(*q), slice(*k)) for q, k in zip(query, key, strict=True)]

    @property
    def given(self) -> tuple[torch.Tensor, torch.Tensor, int, int]:
        """As CUDA's kernels take them."""
        return self.query_end, self.key_end, self.queries, self.keys


def attend_packed(
    q_QHD: torch.Tensor, k_PHD: torch.Tensor, v_PHD: torch.Tensor, lengths: Lengths
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each segment's queries over its keys, (Q, H, D), and the log of each denominator, (Q, H)."""
    if takes_flash(q_QHD):
        out, lse_HQ, *_ = _ATEN._flash_attention_forward(q_QHD, k_PHD, v_PHD, *lengths.given, 0.0, False, False)
        return out, lse_HQ.t()
    if takes_efficient(q_QHD):
        out, lse_SHL, *_ = _ATEN._efficient_attention_forward(
            q_QHD[None], k_PHD[None], v_PHD[None], None, *lengths.given, 0.0, 0, True
        )
        return out[0], lse_SHL.transpose(1, 2)[_places(lengths, len(q_QHD))]
    parts = [attend(*_one(q_QHD[query], k_PHD[key], v_PHD[key])) for query, key in lengths.rows]
    return torch.cat([out[0].transpose(0, 1) for out, _ in parts]), torch.cat([lse[0].t() for _, lse in parts])


def attend_packed_backward(
    grad_QHD: torch.Tensor,
    q_QHD: torch.Tensor,
    k_PHD: torch.Tensor,
    v_PHD: torch.Tensor,
    out_QHD: torch.Tensor,
    lse_QH: torch.Tensor,
    lengths: Lengths,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of q, k and v; `out` and `lse` may be of a softmax over more keys, as in `kernels.attend_backward`."""
    if takes_flash(q_QHD):
        seed = no_dropout(q_QHD.device)
        dq, dk, dv = _ATEN._flash_attention_backward(
            grad_QHD, q_QHD, k_PHD, v_PHD, out_QHD, lse_QH.t().contiguous(), *lengths.given, 0.0, False, seed, seed
        )
        return dq, dk, dv
    if takes_efficient(q_QHD):
        seed = no_dropout(q_QHD.device)
        longest = -(-lengths.queries // ALIGN) * ALIGN
        lse_SLH = lse_QH.new_full((len(lengths.query_end) - 1, longest, lse_QH.shape[1]), math.inf)
        lse_SLH[_places(lengths, len(q_QHD))] = lse_QH
        found = _ATEN._efficient_attention_backward(
            grad_QHD[None], q_QHD[None], k_PHD[None], v_PHD[None], None, out_QHD[None], *lengths.given,
            lse_SLH.transpose(1, 2).contiguous(), 0.0, seed[0], seed[1], 0, False,
        )  # fmt: skip
        dq, dk, dv = (x[0] for x in found[:3])
        return dq, dk, dv
    parts = []
    for query, key in lengths.rows:
        grad, q, k, v, out = _one(grad_QHD[query], q_QHD[query], k_PHD[key], v_PHD[key], out_QHD[query])
        parts.append(attend_backward(grad, q, k, v, out, lse_QH[query].t()[None].contiguous()))
    dq, dk, dv = (torch.cat([x[0].transpose(0, 1) for x in each]) for each in zip(*parts, strict=True))
    return dq, dk, dv


def _one(*rows_LHD: torch.Tensor) -> list[torch.Tensor]:
    """Of one segment, as `kernels` takes them: (1, H, L, D)."""
    return [x.transpose(0, 1)[None] for x in rows_LHD]


def _places(lengths: Lengths, queries: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each query row its segment and its place there."""
    row_Q = torch.arange(queries, device=lengths.query_end.device)
    segment_Q = torch.searchsorted(lengths.query_end[1:], row_Q, right=True)
    return segment_Q, row_Q - lengths.query_end[segment_Q]
