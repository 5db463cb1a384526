"""The mask of eq. 3, arXiv 2510.02617, written out for every pair: the reference of all backends, and for few tokens.

Axes: B batch, T frames, N tokens of a frame, M = T*N tokens, H heads, D head width.
"""

from dataclasses import dataclass, replace
from typing import Self

import torch
import torch.nn.functional as F

from ...pose.regions import BACKGROUND
from ..plan import AttentionPlan


@dataclass(frozen=True)
class Dense:
    """mask_BMM: bool, of `dense_mask`."""

    mask_BMM: torch.Tensor

    @classmethod
    def of(cls, plan: AttentionPlan) -> Self:
        return cls(dense_mask(plan))

    def to(self, device: torch.device | str) -> Self:
        return replace(self, mask_BMM=self.mask_BMM.to(device))

    def attend(self, q_BMHD: torch.Tensor, k_BMHD: torch.Tensor, v_BMHD: torch.Tensor) -> torch.Tensor:
        """softmax(q k^T / sqrt(D) + M) v over all pairs: (B, M, H, D)."""
        q, k, v = (x.transpose(1, 2) for x in (q_BMHD, k_BMHD, v_BMHD))
        return F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask_BMM[:, None]).transpose(1, 2)


def dense_mask(plan: AttentionPlan) -> torch.Tensor:
    """(B, M, M) bool, True where query (row) attends to key (column): M = Mglobal + Mlocal, eq. 2 and 3."""
    batch, frames, tokens = plan.region_BTN.shape
    device = plan.region_BTN.device
    looks_BTT = torch.zeros(batch, frames, frames, dtype=torch.bool, device=device)
    for b in range(batch):
        for t in range(frames):
            for past in plan.past_BTK[b, t].tolist():
                if past >= 0:
                    looks_BTT[b, t, past] = True  # eq. 2
    frame_M = torch.arange(frames, device=device).repeat_interleave(tokens)
    region_BM = plan.region_BTN.flatten(1)
    same_frame_MM = frame_M[:, None] == frame_M[None, :]
    same_region_BMM = (region_BM[:, :, None] == region_BM[:, None, :]) & (region_BM[:, :, None] != BACKGROUND)
    return same_frame_MM | (looks_BTT[:, frame_M][:, :, frame_M] & same_region_BMM)  # eq. 3
