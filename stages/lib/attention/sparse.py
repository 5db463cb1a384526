"""Input-aware sparse attention without a mask over all pairs: exact, and fast on any device.

Axes: B batch, T frames, X = B*T frames, N tokens of a frame, K past frames, S slots, H heads, D head width.
Tokens are sorted by region (`tables.py`); then each region is one batched attention of its queries over the frame's own
tokens and the same region of the past frames (eq. 3, arXiv 2510.02617), and background one over its own frame.
"""

from typing import Any

import torch
import torch.nn.functional as F

from .plan import AttentionPlan


def sparse_attention(
    q_BMHD: torch.Tensor, k_BMHD: torch.Tensor, v_BMHD: torch.Tensor, plan: AttentionPlan
) -> torch.Tensor:
    """softmax(q k^T / sqrt(D) + M) v with M of eq. 3; M = T*N tokens, frame by frame. Equal to `dense_attention`.

    Backward uses no atomics: two runs give equal gradients.
    """
    tables = plan.tables
    batch, frames, tokens = plan.region_BTN.shape
    rows = batch * frames
    heads, width = q_BMHD.shape[2:]
    assert q_BMHD.shape[:2] == (batch, frames * tokens), (q_BMHD.shape, plan.region_BTN.shape)

    def to_slots(x_BMHD: torch.Tensor) -> torch.Tensor:
        flat = x_BMHD.reshape(rows * tokens, heads * width)
        return _Permute.apply(flat, tables.token_of_slot, tables.slot_of_token, None).view(rows, -1, heads, width)

    q_XSHD, k_XSHD, v_XSHD = to_slots(q_BMHD), to_slots(k_BMHD), to_slots(v_BMHD)
    k_XNHD, v_XNHD = (x.reshape(rows, tokens, heads, width) for x in (k_BMHD, v_BMHD))
    out = []
    for group in tables.groups:
        k, v = k_XNHD, v_XNHD
        if group.attends_past:
            k = torch.cat([k, _past(k_XSHD[:, group.start : group.stop], tables.past_XK)], dim=1)
            v = torch.cat([v, _past(v_XSHD[:, group.start : group.stop], tables.past_XK)], dim=1)
        q = q_XSHD[:, group.start : group.stop]
        bias = None if group.bias_X11S is None else group.bias_X11S.to(q.dtype)
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        out.append(F.scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2))
    out_XS = torch.cat(out, dim=1).reshape(-1, heads * width)
    out_XN = _Permute.apply(out_XS, tables.slot_of_token, tables.token_of_slot, tables.filled)
    return out_XN.view(batch, frames * tokens, heads, width)


def _past(x_XSHD: torch.Tensor, past_XK: torch.Tensor) -> torch.Tensor:
    """The slots of each frame's K past frames, one after another: (X, K*S, H, D)."""
    return x_XSHD.index_select(0, past_XK.flatten()).unflatten(0, past_XK.shape).flatten(1, 2)


class _Permute(torch.autograd.Function):
    """Rows `index` of x. The gradient is a gather too, by `inverse`, for no row counts twice: padding has gradient 0
    (it is masked as key and its result is dropped as query), and rows that padding repeats are not `filled`."""

    @staticmethod
    def forward(
        context: Any, x: torch.Tensor, index: torch.Tensor, inverse: torch.Tensor, filled: torch.Tensor | None
    ) -> torch.Tensor:
        context.save_for_backward(inverse, filled)
        return x.index_select(0, index.flatten())

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        inverse, filled = context.saved_tensors
        gradient = gradients[0].index_select(0, inverse.flatten())
        if filled is not None:
            gradient = gradient * filled.view(-1, 1)
        return gradient, None, None, None
