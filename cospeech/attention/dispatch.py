"""Input-aware sparse attention, fast: eq. 3 of arXiv 2510.02617, by the backend that is the fastest.

Axes: B batch, T frames, N tokens of a frame, M = T*N tokens, H heads, D head width.
"""

from typing import Literal

import torch

from .backends.base import Backend
from .backends.dense import Dense
from .backends.flex import Flex
from .backends.gathered import Gathered
from .backends.two_part import TwoPart
from .backends.varlen import Varlen
from .backends.with_reference import attend_with_reference
from .plan import AttentionPlan

Method = Literal["auto", "dense", "gathered", "varlen", "flex"]
"""auto: dense for few tokens on a CPU, else varlen on CUDA, else gathered."""
_BACKENDS: dict[Method, type[Backend]] = {"dense": Dense, "gathered": Gathered, "varlen": Varlen, "flex": Flex}
_DENSE_BELOW_TOKENS = 400
"""Tokens of a window. On 2 cores of a Xeon, both ways, dense takes 0.6 of the time of gathered at 256 tokens, 0.7 at
384 and 1.1 at 512, forward alone 4 times as long at 2048."""


def sparse_attention(
    q_BMHD: torch.Tensor,
    k_BMHD: torch.Tensor,
    v_BMHD: torch.Tensor,
    plan: AttentionPlan,
    method: Method = "auto",
) -> torch.Tensor:
    """softmax(q k^T / sqrt(D) + M) v with M of eq. 3: (B, M, H, D); M = T*N tokens, frame by frame."""
    batch, frames, tokens = plan.region_BTN.shape
    assert q_BMHD.shape[:2] == (batch, frames * tokens), (q_BMHD.shape, plan.region_BTN.shape)
    backend = _fastest(q_BMHD.device, frames * tokens) if method == "auto" else _BACKENDS[method]
    return plan.tables(backend).attend(q_BMHD, k_BMHD, v_BMHD)


def attention_with_reference(
    q_BMHD: torch.Tensor, k_BMHD: torch.Tensor, v_BMHD: torch.Tensor, plan: AttentionPlan
) -> torch.Tensor:
    """The same where a reference picture that all see comes before the T frames of the plan: M = (1 + T)*N tokens."""
    batch, frames, tokens = plan.region_BTN.shape
    assert q_BMHD.shape[:2] == (batch, (1 + frames) * tokens), (q_BMHD.shape, plan.region_BTN.shape)
    return attend_with_reference(q_BMHD, k_BMHD, v_BMHD, plan.tables(two_part_backend(q_BMHD.device)))


def two_part_backend(device: torch.device) -> type[TwoPart]:
    """The backend that keys from elsewhere can be given to: varlen where there is a kernel for it."""
    return Varlen if device.type == "cuda" else Gathered


def _fastest(device: torch.device, tokens: int) -> type[Backend]:
    if device.type == "cpu" and tokens < _DENSE_BELOW_TOKENS:
        return Dense
    return two_part_backend(device)
