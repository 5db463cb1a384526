"""Attention that also returns the log of its softmax's denominator, so that parts over different keys can be joined.

PyTorch has the kernels for every device, but no public function that returns both; here and in `packed.py` they are
called by their internal names.

Axes: B batch, H heads, Q queries, K keys, D head width.
"""

import math
from typing import Any

import torch

_ABSENT = -1e30
"""Added to the score of a key that is not there. Finite, so that a block of absent keys alone makes no NaN."""
_ATEN: Any = torch.ops.aten
ALIGN = 32
"""CUDA's memory-efficient kernel wants rows of its log-sum-exp at multiples of this."""


def absent_bias(present_BK: torch.Tensor) -> torch.Tensor:
    """(B, 1, 1, K) float32: 0 where a key is present, so negative that it has no weight where it is not."""
    return torch.zeros(present_BK.shape).masked_fill_(~present_BK, _ABSENT)[:, None, None]


def attend(
    q_BHQD: torch.Tensor, k_BHKD: torch.Tensor, v_BHKD: torch.Tensor, bias_B11K: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """softmax(q k^T / sqrt(D) + bias) v, (B, H, Q, D), and the log of its denominator, (B, H, Q)."""
    bias = None if bias_B11K is None else bias_B11K.to(q_BHQD.dtype)
    qkv = q_BHQD, k_BHKD, v_BHKD
    if q_BHQD.device.type == "cpu":
        out, lse = _ATEN._scaled_dot_product_flash_attention_for_cpu(*qkv, attn_mask=bias)
        return out, lse
    if bias is None and takes_cudnn(q_BHQD):
        out, lse, *_ = _ATEN._scaled_dot_product_cudnn_attention(*qkv, None, True)
        return out, lse.reshape(q_BHQD.shape[:3])
    if bias is None and takes_flash(q_BHQD):
        out, lse, *_ = _ATEN._scaled_dot_product_flash_attention(*qkv)
        return out, lse
    if bias is None and takes_efficient(q_BHQD):
        out, lse, *_ = _ATEN._scaled_dot_product_efficient_attention(*qkv, None, True)
        return out, lse[:, :, : q_BHQD.shape[2]]
    return attend_explicitly(*qkv, bias)


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
    given = grad_BHQD, q_BHQD, k_BHKD, v_BHKD, out_BHQD
    if q_BHQD.device.type == "cpu":
        dq, dk, dv = _ATEN._scaled_dot_product_flash_attention_for_cpu_backward(
            *given, lse_BHQ, 0.0, False, attn_mask=bias
        )
        return dq, dk, dv
    if bias is not None or not takes_efficient(q_BHQD):
        return attend_explicitly_backward(*given, lse_BHQ, bias)
    seed, lengths = no_dropout(q_BHQD.device), (q_BHQD.shape[2], k_BHKD.shape[2])
    if takes_flash(q_BHQD):
        dq, dk, dv = _ATEN._scaled_dot_product_flash_attention_backward(
            *given, lse_BHQ.contiguous(), None, None, *lengths, 0.0, False, seed, seed
        )
    else:
        dq, dk, dv, _ = _ATEN._scaled_dot_product_efficient_attention_backward(
            *given[:4], None, out_BHQD, aligned(lse_BHQ), seed[0], seed[1], 0.0, [True, True, True, False]
        )
    return dq, dk, dv


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


def takes_cudnn(q: torch.Tensor) -> bool:
    """cuDNN's kernel, from Hopper on: forward nearly twice as fast as FlashAttention 2. Not where bits are to be the
    same each time, which it does not promise."""
    if q.device.type != "cuda" or not takes_flash(q) or q.shape[-1] > 128 or q.shape[-2] < 2:
        return False
    recent = torch.cuda.get_device_capability(q.device) >= (9, 0)
    return recent and torch.backends.cuda.cudnn_sdp_enabled() and not torch.are_deterministic_algorithms_enabled()


def takes_flash(q: torch.Tensor) -> bool:
    """FlashAttention 2: twice as fast as the memory-efficient kernel."""
    half = q.dtype in (torch.bfloat16, torch.float16)
    return half and takes_efficient(q) and q.shape[-1] % 8 == 0 and q.shape[-1] <= 256


def takes_efficient(q: torch.Tensor) -> bool:
    return q.device.type in ("cuda", "meta") and q.dtype != torch.float64


def aligned(lse_BHQ: torch.Tensor) -> torch.Tensor:
    """As the memory-efficient kernel's backward pass takes it."""
    return torch.nn.functional.pad(lse_BHQ, (0, -lse_BHQ.shape[2] % ALIGN), value=math.inf).contiguous()


def no_dropout(device: torch.device) -> torch.Tensor:
    """In place of the state of dropout's generator."""
    return torch.zeros(2, dtype=torch.int64, device=device)
