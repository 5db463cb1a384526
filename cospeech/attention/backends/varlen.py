"""Segments of unlike lengths in one call, none of them padded: for GPUs, which have a kernel for that.

Axes: S segments, Q query rows and P key rows of all segments, one segment after another, H heads, D head width.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch

from .sdpa_lse import Lengths, attend_varlen, attend_varlen_backward
from .segments import Group, RegionRows, Segments
from .two_part import TwoPart


@dataclass(frozen=True)
class Varlen(TwoPart):
    """lengths: of the segments, in the order of `rows`."""

    lengths: Lengths

    @classmethod
    def between(cls, tokens: int, past_XK: np.ndarray, query: RegionRows, key: RegionRows) -> Self:
        segments = Segments.between(past_XK, query, key)
        queries, keys = segments.queries_S.tolist(), segments.keys_S.tolist()
        groups = [Group(slice(index, index + 1), *size) for index, size in enumerate(zip(queries, keys, strict=True))]
        return cls(tokens, segments.rows(groups), Lengths.of(queries, keys))

    def to(self, device: torch.device | str) -> Self:
        return replace(self, rows=self.rows.to(device), lengths=self.lengths.to(device))

    def attend_past(
        self, q_QHD: torch.Tensor, k_PHD: torch.Tensor, v_PHD: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return attend_varlen(q_QHD, k_PHD, v_PHD, self.lengths)

    def attend_past_backward(
        self,
        grad_QHD: torch.Tensor,
        q_QHD: torch.Tensor,
        k_PHD: torch.Tensor,
        v_PHD: torch.Tensor,
        out_QHD: torch.Tensor,
        lse_QH: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return attend_varlen_backward(grad_QHD, q_QHD, k_PHD, v_PHD, out_QHD, lse_QH, self.lengths)
