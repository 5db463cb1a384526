"""Attention that also returns the log of its softmax's denominator (lse), so that parts over different keys can join.

PyTorch 2.8 has the kernels for every device, but no public function that returns both and takes both back for the
gradients. This is the only file that calls private operators of ATen. What is to replace them:

- `attend`: `torch.nn.attention.flex_attention.flex_attention(..., return_lse=True)`, once it has a backward
  pass on a CPU and needs no C++ compiler there.
- `attend_varlen`: `torch.nn.attention.varlen.varlen_attn(..., return_aux=AuxRequest(lse=True))`, from PyTorch 2.10.
- both backward passes: autograd through these, once their lse has a gradient; then `two_part._Joined` goes too.

Axes: B batch, H heads, Q queries, K keys, D head width; rows of several segments, one segment after another: Q query
rows, P key rows, S segments.
"""

import math
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Self

import torch

_ABSENT_SCORE = -1e30
"""Added to the score of a key that is not there. Finite, so that a block of absent keys alone makes no NaN."""
_ATEN = torch.ops.aten
_LSE_MULTIPLE = 32
"""CUDA's memory-efficient kernel wants rows of its log-sum-exp at multiples of this."""


@dataclass(frozen=True)
class Lengths:
    """Lengths of segments, named as by `varlen_attn`.

    cu_seq_q, cu_seq_k: (S + 1,) int32, where each segment's rows end, after a 0. max_q, max_k: of the longest.
    """

    cu_seq_q: torch.Tensor
    cu_seq_k: torch.Tensor
    max_q: int
    max_k: int

    @classmethod
    def of(cls, queries: list[int], keys: list[int]) -> Self:
        cu_seq_q, cu_seq_k = (torch.tensor([0, *accumulate(each)], dtype=torch.int32) for each in (queries, keys))
        return cls(cu_seq_q, cu_seq_k, max(queries, default=0), max(keys, default=0))

    def to(self, device: torch.device | str) -> Self:
        return replace(self, cu_seq_q=self.cu_seq_q.to(device), cu_seq_k=self.cu_seq_k.to(device))

    @property
    def rows(self) -> list[tuple[slice, slice]]:
        """Query rows and key rows of each segment."""
        query, key = (pairwise(end.tolist()) for end in (self.cu_seq_q, self.cu_seq_k))
        return [(slice(*q), slice(*k)) for q, k in zip(query, key, strict=True)]

    @property
    def given(self) -> tuple[torch.Tensor, torch.Tensor, int, int]:
        """As CUDA's kernels take them."""
        return self.cu_seq_q, self.cu_seq_k, self.max_q, self.max_k


def absent_bias(present_BK: torch.Tensor) -> torch.Tensor:
    """(B, 1, 1, K) float32: 0 where a key is present, so negative that it has no weight where it is not."""
    return torch.zeros(present_BK.shape).masked_fill_(~present_BK, _ABSENT_SCORE)[:, None, None]


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
    if bias is None and _takes_flash(q_BHQD):
        out, lse, *_ = _ATEN._scaled_dot_product_flash_attention(*qkv)
        return out, lse
    if bias is None and _takes_efficient(q_BHQD):
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
    if bias is not None or not _takes_efficient(q_BHQD):
        return attend_explicitly_backward(*given, lse_BHQ, bias)
    seed, lengths = _no_dropout(q_BHQD.device), (q_BHQD.shape[2], k_BHKD.shape[2])
    if _takes_flash(q_BHQD):
        dq, dk, dv = _ATEN._scaled_dot_product_flash_attention_backward(
            *given, lse_BHQ.contiguous(), None, None, *lengths, 0.0, False, seed, seed
        )
    else:
        dq, dk, dv, _ = _ATEN._scaled_dot_product_efficient_attention_backward(
            *given[:4], None, out_BHQD, _aligned(lse_BHQ), seed[0], seed[1], 0.0, [True, True, True, False]
        )
    return dq, dk, dv


def attend_varlen(
    q_QHD: torch.Tensor, k_PHD: torch.Tensor, v_PHD: torch.Tensor, lengths: Lengths
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each segment's queries over its keys, (Q, H, D), and the log of each denominator, (Q, H)."""
    if _takes_flash(q_QHD):
        out, lse_HQ, *_ = _ATEN._flash_attention_forward(q_QHD, k_PHD, v_PHD, *lengths.given, 0.0, False, False)
        return out, lse_HQ.t()
    if _takes_efficient(q_QHD):
        out, lse_SHL, *_ = _ATEN._efficient_attention_forward(
            q_QHD[None], k_PHD[None], v_PHD[None], None, *lengths.given, 0.0, 0, True
        )
        return out[0], lse_SHL.transpose(1, 2)[_places(lengths, len(q_QHD))]
    parts = [attend(*_one(q_QHD[query], k_PHD[key], v_PHD[key])) for query, key in lengths.rows]
    return torch.cat([out[0].transpose(0, 1) for out, _ in parts]), torch.cat([lse[0].t() for _, lse in parts])


def attend_varlen_backward(
    grad_QHD: torch.Tensor,
    q_QHD: torch.Tensor,
    k_PHD: torch.Tensor,
    v_PHD: torch.Tensor,
    out_QHD: torch.Tensor,
    lse_QH: torch.Tensor,
    lengths: Lengths,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients of q, k and v; `out` and `lse` may be of a softmax over more keys, as in `attend_backward`."""
    if _takes_flash(q_QHD):
        seed = _no_dropout(q_QHD.device)
        dq, dk, dv = _ATEN._flash_attention_backward(
            grad_QHD, q_QHD, k_PHD, v_PHD, out_QHD, lse_QH.t().contiguous(), *lengths.given, 0.0, False, seed, seed
        )
        return dq, dk, dv
    if _takes_efficient(q_QHD):
        seed = _no_dropout(q_QHD.device)
        width = -(-lengths.max_q // _LSE_MULTIPLE) * _LSE_MULTIPLE
        lse_SLH = lse_QH.new_full((len(lengths.cu_seq_q) - 1, width, lse_QH.shape[1]), math.inf)
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
    if q.device.type != "cuda" or not _takes_flash(q) or q.shape[-1] > 128 or q.shape[-2] < 2:
        return False
    recent = torch.cuda.get_device_capability(q.device) >= (9, 0)
    return recent and torch.backends.cuda.cudnn_sdp_enabled() and not torch.are_deterministic_algorithms_enabled()


def _takes_flash(q: torch.Tensor) -> bool:
    """FlashAttention 2: twice as fast as the memory-efficient kernel."""
    half = q.dtype in (torch.bfloat16, torch.float16)
    return half and _takes_efficient(q) and q.shape[-1] % 8 == 0 and q.shape[-1] <= 256


def _takes_efficient(q: torch.Tensor) -> bool:
    return q.device.type in ("cuda", "meta") and q.dtype != torch.float64


def _aligned(lse_BHQ: torch.Tensor) -> torch.Tensor:
    """As the memory-efficient kernel's backward pass takes it."""
    return torch.nn.functional.pad(lse_BHQ, (0, -lse_BHQ.shape[2] % _LSE_MULTIPLE), value=math.inf).contiguous()


def _no_dropout(device: torch.device) -> torch.Tensor:
    """In place of the state of dropout's generator."""
    return torch.zeros(2, dtype=torch.int64, device=device)


def _one(*rows_LHD: torch.Tensor) -> list[torch.Tensor]:
    """Of one segment, as `attend` takes them: (1, H, L, D)."""
    return [x.transpose(0, 1)[None] for x in rows_LHD]


def _places(lengths: Lengths, queries: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each query row its segment and its place there."""
    row_Q = torch.arange(queries, device=lengths.cu_seq_q.device)
    segment_Q = torch.searchsorted(lengths.cu_seq_q[1:], row_Q, right=True)
    return segment_Q, row_Q - lengths.cu_seq_q[segment_Q]
