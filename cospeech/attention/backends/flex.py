"""FlexAttention under a BlockMask made from the frame and region tables, never from a mask over all pairs.

Tokens are sorted by region within each frame, so that a block of 128 holds few kinds of token. A kind is a frame and a
region; which kinds see which is a small table, and how many tokens of each kind a block holds is another. Their
products say which pairs of blocks meet and which meet in full.

Axes: B batch, T frames, N tokens of a frame, M = T*N tokens, L blocks, R regions, Y = T*R kinds, H heads, D head width.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Self, cast

import torch
import torch.nn.functional as F

from ...pose.regions import BACKGROUND, REGION_NAMES
from ..plan import AttentionPlan

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

BLOCK = 128
"""Tokens of a block, of queries and of keys."""
_REGIONS = len(REGION_NAMES)


@dataclass(frozen=True)
class Flex:
    """order_BM: tokens sorted by region within each frame; back_BM: its inverse. blocks: over tokens in that order."""

    order_BM: torch.Tensor
    back_BM: torch.Tensor
    blocks: "BlockMask"
    pairs: "_Pairs"

    @classmethod
    def of(cls, plan: AttentionPlan) -> Self:
        frames, tokens = plan.region_BTN.shape[1:]
        device = plan.region_BTN.device
        order_BTN = plan.region_BTN.argsort(dim=2, stable=True)
        order_BM = (order_BTN + torch.arange(frames, device=device)[:, None] * tokens).flatten(1)
        pairs = _Pairs(
            torch.arange(frames, device=device).repeat_interleave(tokens),
            plan.region_BTN.gather(2, order_BTN).flatten(1),
            _looks(plan.past_BTK),
        )
        return cls(order_BM, order_BM.argsort(1), _blocks(pairs), pairs)

    def to(self, device: torch.device | str) -> Self:
        pairs = self.pairs.to(device)
        return type(self)(self.order_BM.to(device), self.back_BM.to(device), _blocks(pairs), pairs)

    def attend(
        self, q_BMHD: torch.Tensor, k_BMHD: torch.Tensor, v_BMHD: torch.Tensor, compiled: bool = True
    ) -> torch.Tensor:
        """(B, M, H, D).

        compiled: False runs PyTorch's slow reference of FlexAttention, which writes out all scores: for tests.

        Raises:
            ValueError: compiled, on a CPU, and gradients are wanted or no C++ compiler is there.
        """
        if compiled:
            _check(q_BMHD, k_BMHD, v_BMHD)
        function = _compiled() if compiled else _flex_attention()
        q, k, v = (_ordered(x, self.order_BM).transpose(1, 2) for x in (q_BMHD, k_BMHD, v_BMHD))
        return _ordered(function(q, k, v, block_mask=self.blocks).transpose(1, 2), self.back_BM)


@dataclass(frozen=True)
class _Pairs:
    """Eq. 3 between tokens. frame_M, region_BM: of each token. looks_BTT: bool, frame (row) looks back at frame."""

    frame_M: torch.Tensor
    region_BM: torch.Tensor
    looks_BTT: torch.Tensor

    def to(self, device: torch.device | str) -> "_Pairs":
        return _Pairs(self.frame_M.to(device), self.region_BM.to(device), self.looks_BTT.to(device))

    def rule(self) -> Callable[[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]:
        """Eq. 3 for one pair, for blocks that meet in part; tokens are padded to whole blocks."""
        padding = 0, -len(self.frame_M) % BLOCK
        frame_M, region_BM, looks_BTT = F.pad(self.frame_M, padding), F.pad(self.region_BM, padding), self.looks_BTT

        def rule(b: torch.Tensor, h: torch.Tensor, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
            same_region = (region_BM[b, q] == region_BM[b, k]) & (region_BM[b, q] != BACKGROUND)
            return (frame_M[q] == frame_M[k]) | (looks_BTT[b, frame_M[q], frame_M[k]] & same_region)

        return rule


def _blocks(pairs: _Pairs) -> "BlockMask":
    """Which blocks of queries and keys meet in part and which in full."""
    from torch.nn.attention.flex_attention import BlockMask

    batch, length = pairs.region_BM.shape
    device, blocks, kinds = pairs.region_BM.device, -(-length // BLOCK), pairs.looks_BTT.shape[1] * _REGIONS
    kind_BM = pairs.frame_M * _REGIONS + pairs.region_BM
    block_M = torch.arange(length, device=device) // BLOCK
    held_BLY = torch.zeros(batch, blocks, kinds, device=device)
    for b in range(batch):
        held_BLY[b].index_put_((block_M, kind_BM[b]), torch.ones((), device=device), accumulate=True)
    sees_BYY = _kinds_seen(pairs.looks_BTT).float()
    pairs_BLL = held_BLY @ sees_BYY @ held_BLY.mT  # counts of at most 128 * 128: exact in float32
    size_L = held_BLY[0].sum(-1)
    full_BLL = pairs_BLL == size_L[:, None] * size_L
    return BlockMask.from_kv_blocks(
        *_listed((pairs_BLL > 0) & ~full_BLL),
        *_listed(full_BLL),
        BLOCK_SIZE=BLOCK,
        mask_mod=pairs.rule(),
        seq_lengths=(length, length),
    )


def _looks(past_BTK: torch.Tensor) -> torch.Tensor:
    """(B, T, T) bool: frame (row) looks back at frame (column), eq. 2."""
    frames = past_BTK.shape[1]
    return (past_BTK[..., None] == torch.arange(frames, device=past_BTK.device)).any(2)


def _kinds_seen(looks_BTT: torch.Tensor) -> torch.Tensor:
    """(B, Y, Y) bool: eq. 3 between kinds of token."""
    frames, device = looks_BTT.shape[1], looks_BTT.device
    own_TT = torch.eye(frames, dtype=torch.bool, device=device)
    same_RR = torch.eye(_REGIONS, dtype=torch.bool, device=device)
    same_RR[BACKGROUND, BACKGROUND] = False
    seen_BTRTR = own_TT[:, None, :, None] | (looks_BTT[:, :, None, :, None] & same_RR[:, None, :])
    return seen_BTRTR.expand(-1, -1, _REGIONS, -1, _REGIONS).flatten(3, 4).flatten(1, 2)


def _listed(meet_BLL: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """For each block of queries how many blocks of keys, (B, 1, L) int32, and which first, (B, 1, L, L) int32."""
    index = meet_BLL.int().argsort(dim=-1, descending=True, stable=True).int()
    return meet_BLL.sum(-1).int()[:, None], index[:, None].contiguous()


def _ordered(x_BMHD: torch.Tensor, order_BM: torch.Tensor) -> torch.Tensor:
    offset_B1 = torch.arange(len(order_BM), device=order_BM.device)[:, None] * order_BM.shape[1]
    return x_BMHD.flatten(0, 1).index_select(0, (order_BM + offset_B1).flatten()).view_as(x_BMHD)


def _flex_attention() -> Callable[..., torch.Tensor]:
    from torch.nn.attention.flex_attention import flex_attention

    return cast("Callable[..., torch.Tensor]", flex_attention)  # a pair only where it is asked for


@cache
def _compiled() -> Callable[..., torch.Tensor]:
    # not dynamic: for a CPU, torch 2.8 makes code of varying lengths that fails
    return torch.compile(_flex_attention(), dynamic=False)


def _check(*qkv: torch.Tensor) -> None:
    if qkv[0].device.type != "cpu":
        return
    if torch.is_grad_enabled() and any(x.requires_grad for x in qkv):
        raise ValueError(
            "FlexAttention on a CPU has no backward (torch 2.8); use method 'gathered', or torch.no_grad()"
        )
    if not any(shutil.which(name) for name in ("g++", "clang++", "c++")):
        raise ValueError("FlexAttention on a CPU is compiled by a C++ compiler, and none was found; use 'gathered'")
