"""Where each token may look, from the poses alone: past frames (eq. 1, 2) and regions (eq. 3), arXiv 2510.02617.

Axes: B batch, T frames, N tokens of a frame (row by row), K past frames, P keypoints.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, Self, TypeVar

import numpy as np
import torch

from ..pose.regions import BACKGROUND, BODY, deformed_regions, region_tokens
from ..pose.track import PoseTrack
from ..utils.latent_frames import middle_frames
from .latent_regions import latent_regions

MaskPart = Literal["global", "local"]
"""global: only the K most similar past frames (eq. 1, 2). local: only tokens that share a region (eq. 3)."""

UPPER_BODY = np.r_[0:11, 91:133]
"""Head, shoulders, elbows, wrists and both hands (COCO-WholeBody indices): the P_t of eq. 1."""


@dataclass(frozen=True)
class MaskConfig:
    """What is on of M = Mglobal + Mlocal; with no part on attention is dense. past_frames: K of eq. 2."""

    parts: tuple[MaskPart, ...]
    past_frames: int

    def plan(self, track: PoseTrack, grid: tuple[int, int], stride: int = 1, first: int = 1) -> "AttentionPlan | None":
        """`plan_attention` of one window; None: dense."""
        if not self.parts:
            return None
        return plan_attention(track, grid, self.past_frames, self.parts, stride, first)


class Tables(Protocol):
    """What a backend works out of a plan, and keeps there."""

    @classmethod
    def of(cls, plan: "AttentionPlan") -> Self:
        """On the plan's device."""

    def to(self, device: torch.device | str) -> Self: ...


TablesT = TypeVar("TablesT", bound=Tables)


@dataclass(frozen=True)
class AttentionPlan:
    """What the attention of a batch of windows needs to know; the same for every layer and step.

    past_BTK: int64, the frames (indices into T, each before its own) that frame t looks back at, most similar first;
        -1 where fewer than K are past.
    region_BTN: int64, the region of each token; 0 is background, which looks at its own frame only.
    """

    past_BTK: torch.Tensor
    region_BTN: torch.Tensor
    _tables: dict[type, Tables] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        assert self.past_BTK.shape[:2] == self.region_BTN.shape[:2], (self.past_BTK.shape, self.region_BTN.shape)

    @classmethod
    def join(cls, plans: "Sequence[AttentionPlan]") -> Self:
        """One plan for a batch of windows of equal length."""
        return cls(torch.cat([plan.past_BTK for plan in plans]), torch.cat([plan.region_BTN for plan in plans]))

    def tables(self, kind: type[TablesT]) -> TablesT:
        """Of one backend: made when first asked for, shared by all layers and steps, freed with the plan."""
        if kind not in self._tables:
            self._tables[kind] = kind.of(self)
        tables = self._tables[kind]
        assert isinstance(tables, kind)
        return tables

    def to(self, device: torch.device | str) -> Self:
        """There, with the tables that were made."""
        moved = type(self)(self.past_BTK.to(device), self.region_BTN.to(device))
        moved._tables.update((kind, tables.to(device)) for kind, tables in self._tables.items())
        return moved


def plan_attention(
    track: PoseTrack,
    grid: tuple[int, int],
    K: int,
    parts: Sequence[MaskPart] = ("global", "local"),
    stride: int = 1,
    first: int = 1,
    rest: PoseTrack | None = None,
) -> AttentionPlan:
    """The plan of one window (B = 1).

    grid: tokens down and across.
    K: how many past frames a frame looks back at; fewer where fewer are past, none with 0. parts: without "global" it
    looks back at all of them; without "local" at all of their tokens, as if the whole frame were one region.
    stride: video frames that share a latent frame (`utils/latent_frames.py`); the plan is over latent frames. first: of
        these in the first one, 1 where the video begins, else `stride`.
    rest: regions are this pose's, deformed (`regions.deformed_regions`); None: drawn along the keypoints' lines.

    Raises:
        ValueError: K is negative; frames that do not fill latent frames.
    """
    if K < 0:
        raise ValueError(f"attention: the number of past frames is {K}; it must be 0 or more")
    if "local" not in parts:
        region = np.full((len(track), grid[0] * grid[1]), BODY, dtype=np.int64)
    elif rest is None:
        region = region_tokens(track, grid)
    else:
        region = deformed_regions(track, rest, grid)
    middle = middle_frames(len(track), stride, first)
    error_TT = alignment_error(track[middle].points(UPPER_BODY))
    past = past_frames(error_TT, K if "global" in parts else len(middle) - 1)
    return AttentionPlan(torch.from_numpy(past)[None], torch.from_numpy(latent_regions(region, stride, first))[None])


def alignment_error(track: PoseTrack) -> np.ndarray:
    """S(tq, tk) of eq. 1: what is left between two poses after the best rotation and translation.

    Returns (T, T) float64, symmetric: the root mean square distance under
    weights c_tq * c_tk (with equal weights eq. 1 up to a constant), infinite for poses that share no seen point.

    Kabsch in the plane: with poses as complex numbers about their weighted means, a rotation is a factor of modulus 1
    and the error is |z_q|^2 + |z_k|^2 - 2 |<z_q, z_k>|. Scale and reflection are not among these.
    """
    points_TP2 = track.normalized
    z_TP = (points_TP2[..., 0] + 1j * points_TP2[..., 1]).astype(np.complex128)
    c_TP = track.confidence.astype(np.float64)
    cz_TP = c_TP * z_TP
    weight_TT = c_TP @ c_TP.T
    seen_TT = weight_TT > 0
    divisor_TT = np.where(seen_TT, weight_TT, 1)
    mean_TT = (cz_TP @ c_TP.T) / divisor_TT  # of tq under the weights of the pair; its transpose is that of tk
    square_TT = (c_TP * np.abs(z_TP) ** 2) @ c_TP.T / divisor_TT - np.abs(mean_TT) ** 2
    product_TT = (cz_TP @ cz_TP.conj().T) / divisor_TT - mean_TT * mean_TT.T.conj()
    error_TT = square_TT + square_TT.T - 2 * np.abs(product_TT)
    return np.where(seen_TT, np.sqrt(np.maximum(error_TT, 0)), np.inf)


def past_frames(error_TT: np.ndarray, K: int) -> np.ndarray:
    """Eq. 2: the K frames tk < tq of smallest error, the later among equals; (T, K) int64, -1 where none is left."""
    frames = len(error_TT)
    past_TK = np.full((frames, K), -1, dtype=np.int64)
    for t in range(1, frames):
        latest_first = np.arange(t)[::-1]
        order = np.argsort(error_TT[t, latest_first], kind="stable")[:K]
        past_TK[t, : len(order)] = latest_first[order]
    return past_TK


def kept_share(plan: AttentionPlan | None) -> float:
    """Share of query-key pairs (of all T*N by T*N) that the plan attends to; None: dense."""
    if plan is None:
        return 1.0
    count_BTR = torch.nn.functional.one_hot(plan.region_BTN).sum(2)
    count_BTR[..., BACKGROUND] = 0
    batch, frames, tokens = plan.region_BTN.shape
    known_BTK = plan.past_BTK >= 0
    index_BTKR = plan.past_BTK.clamp(min=0)[..., None].expand(-1, -1, -1, count_BTR.shape[-1])
    past_BTKR = count_BTR[:, :, None].expand(-1, -1, index_BTKR.shape[2], -1).gather(1, index_BTKR)
    pairs = (count_BTR[:, :, None] * past_BTKR * known_BTK[..., None]).sum().item()
    return (batch * frames * tokens**2 + pairs) / (batch * (frames * tokens) ** 2)
