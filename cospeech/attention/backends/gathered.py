"""The gathered path: no mask and no dropped token, a few rectangular attentions on any device.

Every frame attends to itself in one call, as it lies in memory; each region's tokens are gathered and attend to the
same region of past frames (`segments.py`); the two softmaxes over disjoint keys are joined by their denominators:
softmax over both = own + share * (past - own), share = Z_past / (Z_own + Z_past).

Axes: X frames, N tokens of a frame, R = X*N rows, H heads, D head width, Q query rows, P key rows of past frames.
"""

from typing import Any

import torch

from .sdpa_lse import attend, attend_backward
from .segments import Call, Segments
from .varlen import attend_packed, attend_packed_backward


def gathered_attention(
    q_XNHD: torch.Tensor,
    k_XNHD: torch.Tensor,
    v_XNHD: torch.Tensor,
    k_past_PHD: torch.Tensor,
    v_past_PHD: torch.Tensor,
    segments: Segments,
) -> torch.Tensor:
    """Each frame over itself and over the keys of its segments: (X, N, H, D).

    k_past_PHD, v_past_PHD: rows `segments.key_row_P` of wherever the past is kept. Gradients reach all five.
    """
    return _Gathered.apply(q_XNHD, k_XNHD, v_XNHD, k_past_PHD, v_past_PHD, segments)


class _Gathered(torch.autograd.Function):
    """Backward works on each part with the output and the denominator of the whole; it uses no atomics on a CPU."""

    @staticmethod
    def forward(
        context: Any,
        q_XNHD: torch.Tensor,
        k_XNHD: torch.Tensor,
        v_XNHD: torch.Tensor,
        k_past: torch.Tensor,
        v_past: torch.Tensor,
        segments: Segments,
    ) -> torch.Tensor:
        out_XHND, lse_XHN = attend(*(x.transpose(1, 2) for x in (q_XNHD, k_XNHD, v_XNHD)))
        out_RHD, lse_RH = out_XHND.transpose(1, 2).flatten(0, 1), lse_XHN.transpose(1, 2).flatten(0, 1)
        rows = segments.query_row_Q
        if len(rows):
            out_QHD, past_QH = _attend_past(segments, q_XNHD.flatten(0, 1).index_select(0, rows), k_past, v_past)
            both_QH = torch.logaddexp(lse_RH.index_select(0, rows), past_QH)
            share_QH1 = (past_QH - both_QH).exp().to(q_XNHD.dtype)[..., None]
            merged_QHD = torch.lerp(out_RHD.index_select(0, rows), out_QHD, share_QH1)
            # padding repeats a row and so writes the same once more
            out_RHD.index_copy_(0, rows, merged_QHD)
            lse_RH.index_copy_(0, rows, both_QH)
        context.segments = segments
        context.save_for_backward(q_XNHD, k_XNHD, v_XNHD, k_past, v_past, out_RHD, lse_RH)
        return out_RHD.view_as(q_XNHD)

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        q_XNHD, k_XNHD, v_XNHD, k_past, v_past, out_RHD, lse_RH = context.saved_tensors
        segments: Segments = context.segments
        frames, tokens = q_XNHD.shape[:2]
        grad_RHD = gradients[0].reshape(out_RHD.shape)
        lse_XHN = lse_RH.unflatten(0, (frames, tokens)).transpose(1, 2)
        grad, out = (x.unflatten(0, (frames, tokens)).transpose(1, 2) for x in (grad_RHD, out_RHD))
        q, k, v = (x.transpose(1, 2) for x in (q_XNHD, k_XNHD, v_XNHD))
        own = attend_backward(grad, q, k, v, out, lse_XHN)
        dq, dk, dv = (x.transpose(1, 2) for x in own)
        if not len(segments.query_row_Q):
            return dq, dk, dv, torch.zeros_like(k_past), torch.zeros_like(v_past), None
        dq_QHD, dk_past, dv_past = _past_backward(
            segments, q_XNHD.flatten(0, 1), k_past, v_past, grad_RHD, out_RHD, lse_RH
        )
        rows, dq_RHD = segments.query_row_Q[segments.real_Q], dq.flatten(0, 1)
        sum_QHD = dq_RHD.index_select(0, rows) + dq_QHD.index_select(0, segments.real_Q)
        return dq_RHD.index_copy_(0, rows, sum_QHD).view_as(q_XNHD), dk, dv, dk_past, dv_past, None


def _attend_past(
    segments: Segments, q_QHD: torch.Tensor, k_past: torch.Tensor, v_past: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Query rows over their past keys: (Q, H, D), and the log of the denominator, (Q, H)."""
    if segments.lengths is not None:
        return attend_packed(q_QHD, k_past, v_past, segments.lengths)
    out_past, lse_past = [], []
    for call, (q, k, v) in _each_call(segments, q_QHD, k_past, v_past):
        out, lse = attend(q, k, v, call.bias_S11K)
        out_past.append(out.transpose(1, 2).flatten(0, 1))
        lse_past.append(lse.transpose(1, 2).flatten(0, 1))
    return torch.cat(out_past), torch.cat(lse_past)


def _past_backward(
    segments: Segments,
    q_RHD: torch.Tensor,
    k_past: torch.Tensor,
    v_past: torch.Tensor,
    grad_RHD: torch.Tensor,
    out_RHD: torch.Tensor,
    lse_RH: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of the query rows (Q, H, D), and of the past keys and values. Padding has none."""
    rows = segments.query_row_Q
    grad_QHD = torch.zeros_like(q_RHD[:1]).expand(len(rows), -1, -1).clone()
    grad_QHD.index_copy_(0, segments.real_Q, grad_RHD.index_select(0, rows[segments.real_Q]))
    q_QHD, out_QHD, lse_QH = (x.index_select(0, rows) for x in (q_RHD, out_RHD, lse_RH))
    if segments.lengths is not None:
        return attend_packed_backward(grad_QHD, q_QHD, k_past, v_past, out_QHD, lse_QH, segments.lengths)
    found_parts: tuple[list[torch.Tensor], ...] = ([], [], [])
    start = 0
    for call, (q, k, v) in _each_call(segments, q_QHD, k_past, v_past):
        here = slice(start, start + call.segments * call.queries)
        start = here.stop
        grad, out, lse = (
            x[here].unflatten(0, (call.segments, -1)).transpose(1, 2) for x in (grad_QHD, out_QHD, lse_QH)
        )
        found = attend_backward(grad, q, k, v, out, lse, call.bias_S11K)
        for parts, part in zip(found_parts, found, strict=True):
            parts.append(part.transpose(1, 2).flatten(0, 1))
    dq_QHD, dk_PHD, dv_PHD = (torch.cat(parts) for parts in found_parts)
    return dq_QHD, dk_PHD, dv_PHD


def _each_call(
    segments: Segments, q_QHD: torch.Tensor, k_PHD: torch.Tensor, v_PHD: torch.Tensor
) -> list[tuple[Call, list[torch.Tensor]]]:
    """Each call with its q (S, H, Q, D), k and v (S, H, K, D)."""
    found, query, key = [], 0, 0
    for call in segments.calls:
        queries, keys = call.segments * call.queries, call.segments * call.keys
        parts = (q_QHD[query : query + queries], k_PHD[key : key + keys], v_PHD[key : key + keys])
        found.append((call, [x.unflatten(0, (call.segments, -1)).transpose(1, 2) for x in parts]))
        query, key = query + queries, key + keys
    return found
