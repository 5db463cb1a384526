"""The two ways in which Wan's student draws latent frames that come one after another.

Axes: C latent channels, T latent frames, F video frames, h w latent cells.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from ..attention.plan import AttentionPlan
from ..models.transformers.wan import WanCondition
from ..pose.track import PoseTrack, join_tracks
from ..sampling.kv_stream import StudentStream
from ..sampling.window_stream import WindowStream
from .bundle import WanModels

MakeCondition = Callable[[torch.Tensor], WanCondition]
"""From encoded skeletons (C, T, h, w)."""


@dataclass(frozen=True)
class Seen:
    """A latent frame: the track of its F video frames, the encoded skeletons."""

    track: PoseTrack
    pose_Chw: torch.Tensor


class Drawer(Protocol):
    def push(self, seen: Sequence[Seen], noise_1CThw: torch.Tensor) -> torch.Tensor:
        """The next T latent frames; the latents that are done by now, in order, (1, C, maybe 0, h, w)."""

    def finish(self) -> torch.Tensor:
        """The latents that are left, once something was pushed."""

    def memory_bytes(self) -> int:
        """Of all that is kept."""


class InStream:
    """Each frame once, looking back at what is kept of past ones (`streaming.StudentStream`)."""

    def __init__(self, models: WanModels, condition: MakeCondition, cells: tuple[int, int]) -> None:
        memory, stride = models.settings.memory(models.codec.stride), models.codec.stride
        self._condition, self._stream = condition, StudentStream(models.stream, cells, memory, stride)
        self._none = torch.zeros(0)

    def push(self, seen: Sequence[Seen], noise_1CThw: torch.Tensor) -> torch.Tensor:
        drawn = self._stream.draw(noise_1CThw, self._condition(_skeletons(seen)), _joined(seen))
        self._none = drawn[:, :, :0]
        return drawn

    def finish(self) -> torch.Tensor:
        return self._none

    def memory_bytes(self) -> int:
        return self._stream.memory_bytes()


class InWindows:
    """Overlapping windows, fused (`windows.WindowStream`)."""

    def __init__(self, models: WanModels, condition: MakeCondition, cells: tuple[int, int]) -> None:
        settings, self._stride, patch = models.settings, models.codec.stride, models.student.patch
        self._condition, self._device = condition, models.device
        self._mask, self._grid = settings.attention, (cells[0] // patch, cells[1] // patch)
        self._begun, self._seen = 0, list[Seen]()
        self._stream = WindowStream(models.student, settings, self._look, self._stride)

    def push(self, seen: Sequence[Seen], noise_1CThw: torch.Tensor) -> torch.Tensor:
        self._seen += seen
        return self._stream.push(noise_1CThw)

    def finish(self) -> torch.Tensor:
        return self._stream.finish()

    def memory_bytes(self) -> int:
        return sum(each.pose_Chw.nbytes for each in self._seen) + self._stream.memory_bytes()

    def _look(self, start: int, stop: int) -> tuple[WanCondition, AttentionPlan | None]:
        """No earlier latent frame will be asked for: it is forgotten."""
        self._seen, self._begun = self._seen[start - self._begun :], start
        seen = self._seen[: stop - start]
        plan = self._mask.plan(_joined(seen), self._grid, self._stride, len(seen[0].track))
        return self._condition(_skeletons(seen)), None if plan is None else plan.to(self._device)


def _skeletons(seen: Sequence[Seen]) -> torch.Tensor:
    """(C, T, h, w)."""
    return torch.stack([each.pose_Chw for each in seen], 1)


def _joined(seen: Sequence[Seen]) -> PoseTrack:
    return join_tracks([each.track for each in seen])
