"""The part of eq. 3 between frames as segments: one region in one frame each, and the rows that they take.

A segment's queries are the region's tokens in its frame, its keys the same region's tokens in the frame's past frames.
Backends lay segments out one by one (`varlen.py`), or padded to one another (`gathered.py`). No token is ever dropped.

Axes: X frames, N tokens of a frame, R regions, K past frames, S segments, Q query rows, P key rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F


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


@dataclass(frozen=True)
class SegmentRows:
    """Which rows the segments take, one segment after another.

    query_Q: int64 into the X*N tokens; padding repeats a row of its segment. real_Q: int64, which of these are not
    padding. key_P: int64 into the rows that keys come from; padding repeats one too. asker_P: int64, the frame whose
    queries look at that key.
    """

    query_Q: torch.Tensor
    real_Q: torch.Tensor
    key_P: torch.Tensor
    asker_P: torch.Tensor

    def to(self, device: torch.device | str) -> Self:
        return type(self)(*(x.to(device) for x in (self.query_Q, self.real_Q, self.key_P, self.asker_P)))


@dataclass(frozen=True)
class Group:
    """Consecutive segments padded to `queries` by `keys`."""

    chosen: slice
    queries: int
    keys: int


@dataclass(frozen=True)
class Segments:
    """Segments, smallest first.

    frame_S: whose queries they are. queries_S, query_first_S: how many, and where they begin in query_row_F. keys_S:
    how many keys. keys_SK, key_first_SK: how many in each past frame, and where these begin in key_row_F.
    """

    query_row_F: np.ndarray
    key_row_F: np.ndarray
    frame_S: np.ndarray
    queries_S: np.ndarray
    query_first_S: np.ndarray
    keys_S: np.ndarray
    keys_SK: np.ndarray
    key_first_SK: np.ndarray

    @classmethod
    def between(cls, past_XK: np.ndarray, query: RegionRows, key: RegionRows) -> Self:
        """past_XK: which frames of `key` each frame of `query` looks back at; -1 for none."""
        nothing_1R = np.zeros((1, key.count_XR.shape[1]), np.int64)  # what frame -1 holds
        count_XKR = np.concatenate([key.count_XR, nothing_1R])[past_XK]
        keys_XR = count_XKR.sum(1)
        frame_S, region_S = np.nonzero((query.count_XR > 0) & (keys_XR > 0))
        order_S = np.lexsort((query.count_XR[frame_S, region_S], keys_XR[frame_S, region_S]))
        frame_S, region_S = frame_S[order_S], region_S[order_S]
        return cls(
            query.row_F,
            key.row_F,
            frame_S,
            query.count_XR[frame_S, region_S],
            query.first_XR[frame_S, region_S],
            keys_XR[frame_S, region_S],
            count_XKR[frame_S, :, region_S],
            key.first_XR[past_XK[frame_S], region_S[:, None]],
        )

    def rows(self, groups: Sequence[Group]) -> SegmentRows:
        """The rows of all groups, on the CPU."""
        query_rows, real, key_rows, askers, offset = [], [], [], [], 0
        for group in groups:
            queries_s1 = self.queries_S[group.chosen, None]
            slot_q = np.arange(group.queries)
            row_sq = self.query_first_S[group.chosen, None] + np.minimum(slot_q, queries_s1 - 1)
            query_rows.append(self.query_row_F[row_sq].ravel())
            real.append(offset + np.flatnonzero(slot_q < queries_s1))
            offset += row_sq.size
            key_rows.append(self._key_rows(group))
            askers.append(np.repeat(self.frame_S[group.chosen], group.keys))
        return SegmentRows(_joined(query_rows), _joined(real), _joined(key_rows), _joined(askers))

    def _key_rows(self, group: Group) -> np.ndarray:
        """A key's slot lies in the first of the past frames whose running count exceeds it."""
        until_sK = self.keys_SK[group.chosen].cumsum(1)
        slot_sk = np.minimum(np.arange(group.keys), until_sK[:, -1:] - 1)
        which_sk = (slot_sk[..., None] >= until_sK[:, None]).sum(-1)
        offset_sK = self.key_first_SK[group.chosen] - (until_sK - self.keys_SK[group.chosen])
        return self.key_row_F[np.take_along_axis(offset_sK, which_sk, 1) + slot_sk].ravel()


def _joined(rows: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate(rows) if rows else np.zeros(0, np.int64))
