"""The same attention for a video that comes frame by frame: past keys and values are kept, memory is bounded.

Keys are kept without their position. When a frame looks back, they are turned to their distance from it, which counts
no further than the longest window the weights were trained on. Only tokens of regions are kept: background never looks
at another frame. Every frame attends to what it would in one window (eq. 1 to 3), as long as no frame was let go.

Which frames stay: the `recent` last, and of the older ones the most different. Whenever there are too many, of all but
the recent the one is let go whose pose (eq. 1) is nearest to another kept one's, the older if two are: it is missed
least, since its likeness is still there.

Axes: T frames of a chunk, N tokens of a frame, P key rows, S rows stored of a frame, H heads, D head width.
"""

from dataclasses import dataclass, field

import numpy as np
import torch

from ..pose.regions import REGION_NAMES, UNKNOWN_WIDTH, region_tokens, shoulder_width
from ..pose.track import PoseTrack, join_tracks
from ..utils.latent_frames import middle_frames
from .backends.segments import RegionRows, SegmentRows, region_rows
from .backends.two_part import TwoPart
from .dispatch import two_part_backend
from .latent_regions import latent_regions
from .plan import UPPER_BODY, alignment_error, past_frames
from .rotary import apply_rope_factors


@dataclass(frozen=True)
class Memory:
    """past_frames: K of eq. 2. frames: how many past frames are kept between chunks, `recent` of them the last ones.
    max_frames: of the longest trained window; distances in time count at most one less."""

    past_frames: int
    frames: int
    recent: int
    max_frames: int

    def __post_init__(self) -> None:
        if self.past_frames < 0 or self.max_frames < 1:
            raise ValueError(
                f"streaming: past_frames is {self.past_frames}, 0 or more is needed; max_frames is {self.max_frames}, "
                "1 or more"
            )
        if not 0 <= self.recent <= self.frames:
            raise ValueError(
                f"streaming: {self.recent} recent of {self.frames} kept frames; it cannot be more than all"
            )


@dataclass(frozen=True)
class ChunkPlan:
    """What a chunk attends to; the same for every layer and step.

    stored: for each new frame its number and which rows (of the chunk's T*N) are kept of it. retrieved: numbers of the
    frames whose kept rows, one after another, `backend.rows.key_P` points into. key_position_P: row of the rotary
    table, of `max_frames` frames, for each of these keys. dropped: frames to let go afterwards.
    """

    backend: TwoPart
    stored: tuple[tuple[int, torch.Tensor], ...]
    retrieved: tuple[int, ...]
    key_position_P: torch.Tensor
    dropped: tuple[int, ...]
    past: tuple[tuple[int, ...], ...]
    """The numbers of each new frame's past frames, most similar first."""


@dataclass(frozen=True)
class _Kept:
    number: int
    pose: PoseTrack
    tokens_S: np.ndarray
    count_R: np.ndarray


class StreamPlanner:
    """Plans chunk after chunk from the poses; remembers poses, not features."""

    def __init__(
        self, memory: Memory, grid: tuple[int, int], device: torch.device | str = "cpu", stride: int = 1
    ) -> None:
        """stride: video frames of a latent frame (`utils/latent_frames.py`); memory counts latent frames."""
        self.memory, self.grid, self.device, self._stride = memory, grid, torch.device(device), stride
        self._kept: list[_Kept] = []
        self._frames = 0
        self._width = UNKNOWN_WIDTH

    @property
    def kept(self) -> list[int]:
        """Numbers of the frames kept."""
        return [frame.number for frame in self._kept]

    def advance(self, track: PoseTrack) -> ChunkPlan:
        """The plan of the next T latent frames, of the F video frames of `track`.

        Raises:
            ValueError: frames that do not fill latent frames.
        """
        first = self._stride if self._frames else 1
        region_TN = latent_regions(region_tokens(track, self.grid, self._width), self._stride, first)
        self._width = float(shoulder_width(track, self._width)[-1])
        middle = track[middle_frames(len(track), self._stride, first)].points(UPPER_BODY)
        rows = region_rows(torch.from_numpy(region_TN), len(REGION_NAMES))
        new = [_keep(self._frames + t, middle[[t]], t, rows) for t in range(len(middle))]
        everyone, before = [*self._kept, *new], len(self._kept)
        error = alignment_error(join_tracks([frame.pose for frame in everyone]))
        past_TK = past_frames(error, self.memory.past_frames)[before:]
        used = sorted(set(past_TK[past_TK >= 0].tolist()))
        place = np.full(len(everyone) + 1, -1)  # the last is for frames that are not there, -1
        place[used] = np.arange(len(used))
        held = _rows_of([everyone[index] for index in used])
        tokens = region_TN.shape[1]
        backend = two_part_backend(self.device).between(tokens, place[past_TK], rows, held)
        plan = ChunkPlan(
            backend.to(self.device),
            tuple((f.number, torch.from_numpy(f.tokens_S + t * tokens).to(self.device)) for t, f in enumerate(new)),
            tuple(everyone[index].number for index in used),
            self._key_positions([everyone[index] for index in used], backend.rows, tokens).to(self.device),
            self._let_go(everyone, error),
            tuple(tuple(everyone[index].number for index in row if index >= 0) for row in past_TK.tolist()),
        )
        self._kept = [frame for frame in everyone if frame.number not in plan.dropped]
        self._frames += len(new)
        return plan

    def _key_positions(self, used: list[_Kept], rows: SegmentRows, tokens: int) -> torch.Tensor:
        """(P,): a query stands at the last of `max_frames` frames, a key as far before it as it is in time."""
        if not used:
            return torch.zeros(0, dtype=torch.int64)
        token = np.concatenate([frame.tokens_S for frame in used])[rows.key_P.numpy()]
        number = np.concatenate([np.full(len(frame.tokens_S), frame.number) for frame in used])
        distance = self._frames + rows.asker_P.numpy() - number[rows.key_P.numpy()]
        return torch.from_numpy(np.maximum(self.memory.max_frames - 1 - distance, 0) * tokens + token)

    def _let_go(self, everyone: list[_Kept], error: np.ndarray) -> tuple[int, ...]:
        kept = list(range(len(everyone)))
        dropped = []
        while len(kept) > self.memory.frames:
            old = kept[: len(kept) - self.memory.recent]
            apart = error[np.ix_(old, kept)] + np.where(np.equal.outer(old, kept), np.inf, 0)
            least = old[int(apart.min(1).argmin())]
            kept.remove(least)
            dropped.append(everyone[least].number)
        return tuple(dropped)


class KVCache:
    """Keys, without position, and values of the kept frames of one layer at one denoising step."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def nbytes(self) -> int:
        return sum(x.nbytes for pair in self._rows.values() for x in pair)

    def update(self, plan: ChunkPlan, k_MHD: torch.Tensor, v_MHD: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keep the chunk's rows, let go what the plan says; the keys and values that it looks back at, (P, H, D)."""
        for number, rows in plan.stored:
            self._rows[number] = k_MHD.index_select(0, rows), v_MHD.index_select(0, rows)
        wanted = [self._rows[number] for number in plan.retrieved] or [(k_MHD[:0], v_MHD[:0])]
        k, v = (torch.cat(parts).index_select(0, plan.backend.rows.key_P) for parts in zip(*wanted, strict=True))
        for number in plan.dropped:
            del self._rows[number]
        return k, v


@dataclass
class StreamStep:
    """One denoising step of a stream, given to a model as its attention: a cache for each of its layers.

    rope_factors: the positions of `max_frames` frames, as `rotary.rope_factors` gives them, (max_frames * N, 1, D / 2)
    complex64.
    """

    rope_factors: torch.Tensor
    plan: ChunkPlan | None = None
    caches: dict[object, KVCache] = field(default_factory=dict)

    def attend(self, layer: object, q_BMHD: torch.Tensor, k_BMHD: torch.Tensor, v_BMHD: torch.Tensor) -> torch.Tensor:
        """Attention of one layer over the chunk and what was kept; q and k without position. B is 1."""
        assert self.plan is not None
        assert len(q_BMHD) == 1, f"a stream is one video, not {len(q_BMHD)}"
        backend, dtype = self.plan.backend, v_BMHD.dtype
        k_past, v_past = self.caches.setdefault(layer, KVCache()).update(self.plan, k_BMHD[0], v_BMHD[0])
        k_past = apply_rope_factors(k_past, self.rope_factors.index_select(0, self.plan.key_position_P)).to(dtype)
        q, k, v = (x[0].unflatten(0, (-1, backend.tokens)) for x in (q_BMHD, k_BMHD, v_BMHD))
        q, k = (apply_rope_factors(x, self.rope_factors[-backend.tokens :]).to(dtype) for x in (q, k))
        return backend.attend_frames(q, k, v, k_past, v_past).view_as(q_BMHD)


def _keep(number: int, pose: PoseTrack, t: int, rows: RegionRows) -> _Kept:
    tokens = len(rows.row_F) // len(rows.count_XR)
    sorted_N = rows.row_F[t * tokens : (t + 1) * tokens] - t * tokens
    background = tokens - int(rows.count_XR[t].sum())  # comes first
    return _Kept(number, pose, sorted_N[background:], rows.count_XR[t])


def _rows_of(frames: list[_Kept]) -> RegionRows:
    """Rows of the frames' kept tokens, one frame after another."""
    count_XR = np.array([frame.count_R for frame in frames], dtype=np.int64).reshape(len(frames), len(REGION_NAMES))
    first_XR = count_XR.ravel().cumsum().reshape(count_XR.shape) - count_XR
    return RegionRows(np.arange(int(count_XR.sum())), first_XR, count_XR)
