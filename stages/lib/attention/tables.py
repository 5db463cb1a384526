"""Index tables that turn the ragged regions of a plan into a few rectangular attentions.

Axes: B batch, T frames, X = B*T frames, N tokens of a frame, K past frames, S slots of a frame.
Each frame's tokens are sorted by region into slots. A region has as many slots in every frame as its largest set in
the batch, so no token is ever dropped; the slots left over are padding.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Group:
    """Slots start..stop of every frame hold the tokens of one region.

    attends_past: background does not. bias_X11S: float32 for the keys [own frame, past slots], 0 where a slot holds a
    token and -inf where it is padding or its frame does not exist; None where all hold one.
    """

    start: int
    stop: int
    attends_past: bool
    bias_X11S: torch.Tensor | None


@dataclass(frozen=True)
class GatherTables:
    """token_of_slot: (X, S) int64 into the X*N tokens; padding repeats a token of its frame. filled: (X, S) bool.
    slot_of_token: (X, N) int64 into the X*S slots. past_XK: int64 into the X frames."""

    token_of_slot: torch.Tensor
    filled: torch.Tensor
    slot_of_token: torch.Tensor
    past_XK: torch.Tensor
    groups: tuple[Group, ...]


def gather_tables(past_BTK: torch.Tensor, region_BTN: torch.Tensor) -> GatherTables:
    """Tables of a plan; region 0 is background."""
    frames, tokens = region_BTN.shape[1:]
    region_XN = region_BTN.flatten(0, 1)
    count_XR = F.one_hot(region_XN).sum(1)
    capacity_R = count_XR.amax(0)
    ends_R = capacity_R.cumsum(0)
    first_R = ends_R - capacity_R

    order_XN = region_XN.argsort(dim=1, stable=True)
    sorted_XN = region_XN.gather(1, order_XN)
    first_sorted_XR = count_XR.cumsum(1) - count_XR
    rank_XN = torch.arange(tokens, device=region_XN.device) - first_sorted_XR.gather(1, sorted_XN)
    slot_XN = first_R[sorted_XN] + rank_XN

    slots = int(ends_R[-1])
    frame_X1 = torch.arange(len(region_XN), device=region_XN.device)[:, None]
    token_of_slot = torch.zeros(len(region_XN), slots, dtype=torch.int64, device=region_XN.device)
    token_of_slot.scatter_(1, slot_XN, order_XN)
    filled = torch.zeros_like(token_of_slot, dtype=torch.bool).scatter_(1, slot_XN, True)
    slot_of_token = torch.zeros_like(region_XN).scatter_(1, order_XN, slot_XN)

    window_X1 = frame_X1 // frames * frames
    past_XK = past_BTK.flatten(0, 1)
    known_XK = past_XK >= 0
    past_XK = past_XK.clamp(min=0) + window_X1
    groups = []
    for region, (start, stop) in enumerate(zip(first_R.tolist(), ends_R.tolist(), strict=True)):
        if start == stop:
            continue
        attends_past = region > 0 and past_XK.shape[1] > 0
        known_XS = (filled[:, start:stop][past_XK] & known_XK[..., None]).flatten(1)
        groups.append(Group(start, stop, attends_past, _bias(known_XS, tokens) if attends_past else None))
    return GatherTables(
        token_of_slot + frame_X1 * tokens, filled, slot_of_token + frame_X1 * slots, past_XK, tuple(groups)
    )


def _bias(known_XS: torch.Tensor, own: int) -> torch.Tensor | None:
    """Additive mask for [own frame, past slots]; None where nothing is to be masked."""
    if known_XS.all():
        return None
    bias_XS = torch.zeros(known_XS.shape, device=known_XS.device).masked_fill_(~known_XS, float("-inf"))
    return F.pad(bias_XS, (own, 0))[:, None, None]
