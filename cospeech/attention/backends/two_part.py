"""Eq. 3 in two parts, with no mask and no dropped token: what the gathered and the varlen backend share.

Every frame attends to itself in one call, as it lies in memory; each region's tokens are gathered and attend to the
same region of past frames (`segments.py`); the two softmaxes over disjoint keys are joined by their denominators:
softmax over both = own + share * (past - own), share = Z_past / (Z_own + Z_past).

Axes: B batch, X = B*T frames, N tokens of a frame, M = T*N tokens, L keys beside a frame's queries, F = X*N rows,
H heads, D head width, Q query rows and P key rows of segments.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import torch

from ...pose.regions import REGION_NAMES
from ..plan import AttentionPlan
from .sdpa_lse import attend, attend_backward
from .segments import RegionRows, SegmentRows, region_rows


@dataclass(frozen=True)
class TwoPart(ABC):
    """tokens: N. rows: which queries look back, and at which keys."""

    tokens: int
    rows: SegmentRows

    @classmethod
    def of(cls, plan: AttentionPlan) -> Self:
        frames, tokens = plan.region_BTN.shape[1:]
        past_XK = plan.past_BTK.flatten(0, 1).cpu().numpy()
        window_X1 = np.arange(len(past_XK))[:, None] // frames * frames
        rows = region_rows(plan.region_BTN.flatten(0, 1), len(REGION_NAMES))
        past_XK = np.where(past_XK >= 0, past_XK + window_X1, -1)
        return cls.between(tokens, past_XK, rows, rows).to(plan.region_BTN.device)

    @classmethod
    @abstractmethod
    def between(cls, tokens: int, past_XK: np.ndarray, query: RegionRows, key: RegionRows) -> Self:
        """On the CPU. past_XK: which frames of `key` each frame of `query` looks back at; -1 for none."""

    @abstractmethod
    def to(self, device: torch.device | str) -> Self: ...

    @abstractmethod
    def attend_past(
        self, q_QHD: torch.Tensor, k_PHD: torch.Tensor, v_PHD: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Query rows over their past keys: (Q, H, D), and the log of the denominator, (Q, H)."""

    @abstractmethod
    def attend_past_backward(
        self,
        grad_QHD: torch.Tensor,
        q_QHD: torch.Tensor,
        k_PHD: torch.Tensor,
        v_PHD: torch.Tensor,
        out_QHD: torch.Tensor,
        lse_QH: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Gradients of q, k and v; `out` and `lse` may be of a softmax over more keys."""

    def attend(self, q_BMHD: torch.Tensor, k_BMHD: torch.Tensor, v_BMHD: torch.Tensor) -> torch.Tensor:
        q, k, v = (x.reshape(-1, self.tokens, *x.shape[2:]) for x in (q_BMHD, k_BMHD, v_BMHD))
        return self.attend_frames(q, k, v, self.past_rows(k), self.past_rows(v)).view_as(q_BMHD)

    def past_rows(self, x_XNHD: torch.Tensor) -> torch.Tensor:
        """Keys, or values, of the segments: (P, H, D)."""
        return x_XNHD.flatten(0, 1).index_select(0, self.rows.key_P)

    def attend_frames(
        self,
        q_XNHD: torch.Tensor,
        k_XLHD: torch.Tensor,
        v_XLHD: torch.Tensor,
        k_PHD: torch.Tensor,
        v_PHD: torch.Tensor,
    ) -> torch.Tensor:
        """Each frame over the keys beside it and over those of its segments: (X, N, H, D).

        k_PHD, v_PHD: rows `rows.key_P` of wherever the past is kept. Gradients reach all five.
        """
        return _Joined.apply(q_XNHD, k_XLHD, v_XLHD, k_PHD, v_PHD, self)


class _Context(Protocol):
    """What `_Joined` remembers between forward and backward."""

    backend: TwoPart

    @property
    def saved_tensors(self) -> tuple[torch.Tensor, ...]: ...

    def save_for_backward(self, *tensors: torch.Tensor) -> None: ...


class _Joined(torch.autograd.Function):
    """Backward works on each part with the output and the denominator of the whole; it uses no atomics on a CPU."""

    @staticmethod
    def forward(
        context: _Context,
        q_XNHD: torch.Tensor,
        k_XLHD: torch.Tensor,
        v_XLHD: torch.Tensor,
        k_PHD: torch.Tensor,
        v_PHD: torch.Tensor,
        backend: TwoPart,
    ) -> torch.Tensor:
        out_XHND, lse_XHN = attend(*(x.transpose(1, 2) for x in (q_XNHD, k_XLHD, v_XLHD)))
        out_FHD, lse_FH = out_XHND.transpose(1, 2).flatten(0, 1), lse_XHN.transpose(1, 2).flatten(0, 1)
        query_Q = backend.rows.query_Q
        if len(query_Q):
            out_QHD, past_QH = backend.attend_past(q_XNHD.flatten(0, 1).index_select(0, query_Q), k_PHD, v_PHD)
            both_QH = torch.logaddexp(lse_FH.index_select(0, query_Q), past_QH)
            share_QH1 = (past_QH - both_QH).exp().to(q_XNHD.dtype)[..., None]
            merged_QHD = torch.lerp(out_FHD.index_select(0, query_Q), out_QHD, share_QH1)
            # padding repeats a row and so writes the same once more
            out_FHD.index_copy_(0, query_Q, merged_QHD)
            lse_FH.index_copy_(0, query_Q, both_QH)
        context.backend = backend
        context.save_for_backward(q_XNHD, k_XLHD, v_XLHD, k_PHD, v_PHD, out_FHD, lse_FH)
        return out_FHD.view_as(q_XNHD)

    @staticmethod
    def backward(context: _Context, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        q_XNHD, k_XLHD, v_XLHD, k_PHD, v_PHD, out_FHD, lse_FH = context.saved_tensors
        backend: TwoPart = context.backend
        frames, tokens = q_XNHD.shape[:2]
        grad_FHD = gradients[0].reshape(out_FHD.shape)
        lse_XHN = lse_FH.unflatten(0, (frames, tokens)).transpose(1, 2)
        grad, out = (x.unflatten(0, (frames, tokens)).transpose(1, 2) for x in (grad_FHD, out_FHD))
        q, k, v = (x.transpose(1, 2) for x in (q_XNHD, k_XLHD, v_XLHD))
        dq, dk, dv = (x.transpose(1, 2) for x in attend_backward(grad, q, k, v, out, lse_XHN))
        rows = backend.rows
        if not len(rows.query_Q):
            return dq, dk, dv, torch.zeros_like(k_PHD), torch.zeros_like(v_PHD), None
        real_F = rows.query_Q[rows.real_Q]
        grad_QHD = grad_FHD.new_zeros(len(rows.query_Q), *grad_FHD.shape[1:])  # padding has none
        grad_QHD.index_copy_(0, rows.real_Q, grad_FHD.index_select(0, real_F))
        q_QHD, out_QHD, lse_QH = (x.index_select(0, rows.query_Q) for x in (q_XNHD.flatten(0, 1), out_FHD, lse_FH))
        dq_QHD, dk_PHD, dv_PHD = backend.attend_past_backward(grad_QHD, q_QHD, k_PHD, v_PHD, out_QHD, lse_QH)
        dq_FHD = dq.flatten(0, 1)
        sum_QHD = dq_FHD.index_select(0, real_F) + dq_QHD.index_select(0, rows.real_Q)
        return dq_FHD.index_copy_(0, real_F, sum_QHD).view_as(q_XNHD), dk, dv, dk_PHD, dv_PHD, None
