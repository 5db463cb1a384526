"""Attention that also returns the log of its softmax's denominator, so that parts over different keys can be joined.

PyTorch has the kernels for every device, but no public function that returns both; this is the one place that calls
them by their internal names.

Axes: B batch, H heads, Q queries, K keys, D head width.
"""

import math
from typing import Any

import torch

_ABSENT = -1e30
"""Added to the score of a key that is not there. Finite, so that a block of absent keys alone makes no NaN."""
_ATEN: Any = torch.ops.aten
_ALIGN = 32
"""CUDA's kernel wants rows of its log-sum-exp at multiples of this."""


def absent_bias(present_BK: torch.Tensor) -> torch.Tensor:
    """(B, 1, 1, K) float32: 0 where a key is present, so negative that it has no weight where it is not."""
    return torch.zeros(present_BK.shape).masked_fill_(~present_BK, _ABSENT)[:, None, None]


def attend(
    q_BHQD: torch.Tensor, k_BHKD: torch.Tensor, v_BHKD: torch.Tensor, bias_B11K: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """softmax(q k^T / sqrt(D) + bias) v, (B, H, Q, D), and the log of its denominator, (B, H, Q)."""
    bias = None if bias_B11K is None else bias_B11K.to(q_BHQD.dtype)
    if q_BHQD.device.type == "cpu":
        out, lse = _ATEN._scaled_dot_product_flash_attention_for_cpu(q_BHQD, k_BHKD, v_BHKD, attn_mask=bias)
        return out, lse
    if _efficient(q_BHQD):
        bias_BHQK = _expanded(bias, q_BHQD, k_BHKD)
        out, lse, *_ = _ATEN._scaled_dot_product_efficient_attention(q_BHQD, k_BHKD, v_BHKD, bias_BHQK, True)
        return out, lse[:, :, : q_BHQD.shape[2]]
    return attend_explicitly(q_BHQD, k_BHKD, v_BHKD, bias)


def attend_backward(
    grad_BHQD: torch.Tensor,
    q_BHQD: torch.Tensor,
    k_BHKD: torch.Tensor,
    v_BHKD: torch.Tensor,
    out_BHQD: torch.Tensor,
    lse_BHQ: torch.Tensor,
    bias_B11K: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of q, k and v. With `out` and `lse` of a softmax over more keys than these, the part through these:
    a probability is exp(score - lse) whatever other keys there are."""
    bias = None if bias_B11K is None else bias_B11K.to(q_BHQD.dtype)
    if q_BHQD.device.type == "cpu":
        dq, dk, dv = _ATEN._scaled_dot_product_flash_attention_for_cpu_backward(
            grad_BHQD, q_BHQD, k_BHKD, v_BHKD, out_BHQD, lse_BHQ, 0.0, False, attn_mask=bias
        )
        return dq, dk, dv
    if _efficient(q_BHQD):
        beyond = -lse_BHQ.shape[2] % _ALIGN
        lse = torch.nn.functional.pad(lse_BHQ, (0, beyond), value=math.inf).contiguous()
        seed, wanted = torch.zeros((), dtype=torch.int64, device=lse.device), [True, True, True, False]
        bias_BHQK = _expanded(bias, q_BHQD, k_BHKD)
        dq, dk, dv, _ = _ATEN._scaled_dot_product_efficient_attention_backward(
            grad_BHQD, q_BHQD, k_BHKD, v_BHKD, bias_BHQK, out_BHQD, lse, seed, seed, 0.0, wanted
        )
        return dq, dk, dv
    return attend_explicitly_backward(grad_BHQD, q_BHQD, k_BHKD, v_BHKD, out_BHQD, lse_BHQ, bias)


def attend_explicitly(
    q_BHQD: torch.Tensor, k_BHKD: torch.Tensor, v_BHKD: torch.Tensor, bias: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """`attend` in plain operations, for any device."""
    score_BHQK = _scores(q_BHQD, k_BHKD, bias)
    lse_BHQ = score_BHQK.logsumexp(-1)
    return (score_BHQK - lse_BHQ[..., None]).exp().to(v_BHKD.dtype) @ v_BHKD, lse_BHQ


def attend_explicitly_backward(
    grad_BHQD: torch.Tensor,
    q_BHQD: torch.Tensor,
    k_BHKD: torch.Tensor,
    v_BHKD: torch.Tensor,
    out_BHQD: torch.Tensor,
    lse_BHQ: torch.Tensor,
    bias: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`attend_backward` in plain operations."""
    share_BHQK = (_scores(q_BHQD, k_BHKD, bias) - lse_BHQ[..., None]).exp()
    wide = share_BHQK.dtype
    grad, out = grad_BHQD.to(wide), out_BHQD.to(wide)
    slope_BHQK = grad @ v_BHKD.to(wide).mT - (grad * out).sum(-1, keepdim=True)
    slope_BHQK = slope_BHQK * share_BHQK / math.sqrt(q_BHQD.shape[-1])
    dq, dk, dv = slope_BHQK @ k_BHKD.to(wide), slope_BHQK.mT @ q_BHQD.to(wide), share_BHQK.mT @ grad
    return dq.to(q_BHQD.dtype), dk.to(k_BHKD.dtype), dv.to(v_BHKD.dtype)


def _scores(q_BHQD: torch.Tensor, k_BHKD: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    wide = torch.promote_types(q_BHQD.dtype, torch.float32)
    score_BHQK = q_BHQD.to(wide) @ k_BHKD.to(wide).mT / math.sqrt(q_BHQD.shape[-1])
    return score_BHQK if bias is None else score_BHQK + bias


def _efficient(q: torch.Tensor) -> bool:
    return q.device.type in ("cuda", "meta") and q.dtype != torch.float64


def _expanded(bias: torch.Tensor | None, q_BHQD: torch.Tensor, k_BHKD: torch.Tensor) -> torch.Tensor:
    """The bias for every pair, as CUDA's kernel takes it, without copies; K is a multiple of 8 wherever there is one
    (`segments.py`), and zeros are aligned here."""
    keys = k_BHKD.shape[2]
    if bias is None:
        bias = q_BHQD.new_zeros(1, 1, 1, -(-keys // 8) * 8)[..., :keys]
    return bias.expand(q_BHQD.shape[0], q_BHQD.shape[1], q_BHQD.shape[2], keys)
