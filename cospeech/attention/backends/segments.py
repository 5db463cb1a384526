"""The part of eq. 3 between frames as a few rectangular attentions: tables of rows, made once a plan.

A segment is one region in one frame: its queries are the region's tokens there, its keys the same region's tokens in
the frame's past frames. A GPU has a kernel for segments of unlike lengths (`packed.py`). Elsewhere those of like size
are padded to one another and share a call, so that neither the number of calls nor the padding grows out of hand. No
token is ever dropped.

Axes: B batch, T frames, X = B*T frames, N tokens of a frame, K past frames, S segments, Q query rows, P key rows.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from .sdpa_lse import absent_bias
from .varlen import Lengths

_CALL = 4000
"""What a further call costs, in query-key pairs: at fewer pairs of padding, segments share one."""
_ALIGN = 8
"""Keys of a call are padded to multiples of this: kernels like it."""


@dataclass(frozen=True)
class Call:
    """`segments` attentions of `queries` by `keys`. bias_S11K: None where no key is padding."""

    segments: int
    queries: int
    keys: int
    bias_S11K: torch.Tensor | None


@dataclass(frozen=True)
class Segments:
    """The calls in order, and which rows they take; or all in one call, as `lengths` says, with nothing padded.

    query_row_Q: int64 into the X*N tokens; padding repeats a row of its segment. real_Q: int64, which of these are not
    padding. key_row_P: int64 into the rows that keys come from; padding repeats one too. asker_P: int64, the frame
    whose queries look at that key.
    """

    query_row_Q: torch.Tensor
    real_Q: torch.Tensor
    key_row_P: torch.Tensor
    asker_P: torch.Tensor
    calls: tuple[Call, ...]
    lengths: Lengths | None

    def to(self, device: torch.device) -> "Segments":
        calls = tuple(
            replace(call, bias_S11K=None if call.bias_S11K is None else call.bias_S11K.to(device))
            for call in self.calls
        )
        query, real, key, asker = (x.to(device) for x in (self.query_row_Q, self.real_Q, self.key_row_P, self.asker_P))
        return Segments(query, real, key, asker, calls, None if self.lengths is None else self.lengths.to(device))


@dataclass(frozen=True)
class RegionRows:
    """Rows of tokens sorted by region: row_F: all rows, frame by frame; those of frame x and region r are
    row_F[first_XR[x, r] :][: count_XR[x, r]]."""

    row_F: np.ndarray
    first_XR: np.ndarray
    count_XR: np.ndarray


def region_rows(region_XN: torch.Tensor, regions: int) -> RegionRows:
    """Rows (into the X*N tokens) by region; background (region 0) counts as empty."""
    region_XN = region_XN.cpu()
    frames, tokens = region_XN.shape
    order_XN = region_XN.argsort(dim=1, stable=True)
    row_XN = order_XN + torch.arange(frames)[:, None] * tokens
    count_XR = F.one_hot(region_XN, regions).sum(1).numpy()
    first_XR = count_XR.cumsum(1) - count_XR + np.arange(frames)[:, None] * tokens
    count_XR[:, 0] = 0
    return RegionRows(row_XN.flatten().numpy(), first_XR, count_XR)


def make_segments(past_XK: np.ndarray, query: RegionRows, key: RegionRows, packed: bool) -> Segments:
    """past_XK: which frames of `key` each frame of `query` looks back at; -1 for none. packed: as `lengths` says."""
    nothing_1R = np.zeros((1, key.count_XR.shape[1]), np.int64)  # what frame -1 holds
    count_XKR = np.concatenate([key.count_XR, nothing_1R])[past_XK]
    keys_XR = count_XKR.sum(1)
    frame_S, region_S = np.nonzero((query.count_XR > 0) & (keys_XR > 0))
    queries_S, keys_S = query.count_XR[frame_S, region_S], keys_XR[frame_S, region_S]
    order_S = np.lexsort((queries_S, keys_S))
    query_rows, real, key_rows, askers, calls, offset = [], [], [], [], [], 0
    align = 1 if packed else _ALIGN
    for chosen in order_S[:, None] if packed else _shared_calls(order_S, queries_S, keys_S):
        frame_s, region_s = frame_S[chosen], region_S[chosen]
        queries, keys = int(queries_S[chosen].max()), -(-int(keys_S[chosen].max()) // align) * align
        slot_q, slot_k = np.arange(queries), np.arange(keys)
        real_sq = slot_q < queries_S[chosen, None]
        nearest_sq = np.minimum(slot_q, queries_S[chosen, None] - 1)
        query_rows.append(query.row_F[query.first_XR[frame_s, region_s, None] + nearest_sq].ravel())
        real.append(offset + np.flatnonzero(real_sq))
        offset += real_sq.size
        # key slot j of a segment lies in the first of its past frames whose running count exceeds j
        until_sK = count_XKR[frame_s, :, region_s].cumsum(1)
        nearest_sk = np.minimum(slot_k, keys_S[chosen, None] - 1)
        which_sk = (nearest_sk[..., None] >= until_sK[:, None]).sum(-1)
        before_sK = until_sK - count_XKR[frame_s, :, region_s]
        source_sk = np.take_along_axis(past_XK[frame_s], which_sk, 1)
        within_sk = nearest_sk - np.take_along_axis(before_sK, which_sk, 1)
        key_rows.append(key.row_F[key.first_XR[source_sk, region_s[:, None]] + within_sk].ravel())
        askers.append(np.repeat(frame_s, keys))
        present_sk = torch.from_numpy(slot_k < keys_S[chosen, None])
        calls.append(Call(len(chosen), queries, keys, None if present_sk.all() else absent_bias(present_sk)))
    lengths = Lengths.of([call.queries for call in calls], [call.keys for call in calls]) if packed else None
    tables = _joined(query_rows), _joined(real), _joined(key_rows), _joined(askers)
    return Segments(*tables, () if packed else tuple(calls), lengths)


def _shared_calls(order_S: np.ndarray, queries_S: np.ndarray, keys_S: np.ndarray) -> list[np.ndarray]:
    """Segments, smallest first, into calls: one joins the last unless the padding would cost more than a new call."""
    calls: list[list[int]] = []
    widest = pairs = 0
    for index in order_S.tolist():
        queries, keys = int(queries_S[index]), int(keys_S[index])
        widest, pairs = max(widest, queries), pairs + queries * keys
        if not calls or (len(calls[-1]) + 1) * widest * keys > pairs + _CALL:
            calls.append([])
            widest, pairs = queries, queries * keys
        calls[-1].append(index)
    return [np.array(call) for call in calls]


def _joined(rows: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate(rows) if rows else np.zeros(0, np.int64))
