"""Segments of like size padded to one another in a few rectangular calls: any device, no compiler.

Axes: S segments of a call, Q queries and K keys of one of them, P key rows, H heads, D head width.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np
import torch

from .sdpa_lse import absent_bias, attend, attend_backward
from .segments import Group, RegionRows, Segments
from .two_part import TwoPart

_CALL_COST = 4000
"""Query-key pairs that a further call costs: at fewer pairs of padding, segments share one."""
_KEYS_MULTIPLE = 8
"""Keys of a call are padded to multiples of this: kernels like it."""


@dataclass(frozen=True)
class Call:
    """`segments` attentions of `queries` by `keys`. bias_S11K: None where no key is padding."""

    segments: int
    queries: int
    keys: int
    bias_S11K: torch.Tensor | None


@dataclass(frozen=True)
class Gathered(TwoPart):
    """calls: in the order of `rows`. Neither the number of calls nor the padding grows out of hand."""

    calls: tuple[Call, ...]

    @classmethod
    def between(cls, tokens: int, past_XK: np.ndarray, query: RegionRows, key: RegionRows) -> Self:
        segments = Segments.between(past_XK, query, key)
        groups = _groups(segments.queries_S, segments.keys_S)
        calls = tuple(_call(group, segments.keys_S[group.chosen]) for group in groups)
        return cls(tokens, segments.rows(groups), calls)

    def to(self, device: torch.device | str) -> Self:
        calls = tuple(
            replace(call, bias_S11K=None if call.bias_S11K is None else call.bias_S11K.to(device))
            for call in self.calls
        )
        return replace(self, rows=self.rows.to(device), calls=calls)

    def attend_past(
        self, q_QHD: torch.Tensor, k_PHD: torch.Tensor, v_PHD: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        out_past, lse_past = [], []
        for call, (q, k, v) in self._each_call(q_QHD, k_PHD, v_PHD):
            out, lse = attend(q, k, v, call.bias_S11K)
            out_past.append(out.transpose(1, 2).flatten(0, 1))
            lse_past.append(lse.transpose(1, 2).flatten(0, 1))
        return torch.cat(out_past), torch.cat(lse_past)

    def attend_past_backward(
        self,
        grad_QHD: torch.Tensor,
        q_QHD: torch.Tensor,
        k_PHD: torch.Tensor,
        v_PHD: torch.Tensor,
        out_QHD: torch.Tensor,
        lse_QH: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        found_parts: tuple[list[torch.Tensor], ...] = ([], [], [])
        start = 0
        for call, (q, k, v) in self._each_call(q_QHD, k_PHD, v_PHD):
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
        self, q_QHD: torch.Tensor, k_PHD: torch.Tensor, v_PHD: torch.Tensor
    ) -> list[tuple[Call, list[torch.Tensor]]]:
        """Each call with its q (S, H, Q, D), k and v (S, H, K, D)."""
        found, query, key = [], 0, 0
        for call in self.calls:
            queries, keys = call.segments * call.queries, call.segments * call.keys
            parts = (q_QHD[query : query + queries], k_PHD[key : key + keys], v_PHD[key : key + keys])
            found.append((call, [x.unflatten(0, (call.segments, -1)).transpose(1, 2) for x in parts]))
            query, key = query + queries, key + keys
        return found


def _groups(queries_S: np.ndarray, keys_S: np.ndarray) -> list[Group]:
    """Segments, smallest first, into calls: one joins the last unless the padding would cost more than a new call."""
    starts: list[int] = []
    widest = pairs = 0
    for index, (queries, keys) in enumerate(zip(queries_S.tolist(), keys_S.tolist(), strict=True)):
        widest, pairs = max(widest, queries), pairs + queries * keys
        if not starts or (index - starts[-1] + 1) * widest * keys > pairs + _CALL_COST:
            starts.append(index)
            widest, pairs = queries, queries * keys
    groups = []
    for start, stop in pairwise([*starts, len(keys_S)]):
        keys = -(-int(keys_S[start:stop].max()) // _KEYS_MULTIPLE) * _KEYS_MULTIPLE
        groups.append(Group(slice(start, stop), int(queries_S[start:stop].max()), keys))
    return groups


def _call(group: Group, keys_S: np.ndarray) -> Call:
    present_SK = torch.from_numpy(np.arange(group.keys) < keys_S[:, None])
    return Call(len(keys_S), group.queries, group.keys, None if present_SK.all() else absent_bias(present_SK))
