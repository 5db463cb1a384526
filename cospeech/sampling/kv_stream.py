"""The student as a stream: frames come one by one or few at a time, and their latents are drawn at once.

Every denoising step of every layer keeps its own past keys and values (`attention/kv_cache.py`), so that a frame sees
the past as that step saw it, exactly as in one window.

Axes: C latent channels, T frames of a chunk, h w latent cells.
"""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import torch

from ..attention.kv_cache import ChunkPlan, Memory, StreamPlanner, StreamStep
from ..attention.rotary import rope_factors
from ..models.common.protocols import DenoisingNet, StreamingNet
from ..models.common.tensor_record import WindowCondition
from ..models.transformers.denoiser import Denoiser
from ..models.transformers.wan import WanStreaming, WanStudent
from ..pose.track import PoseTrack
from ..utils.euler import euler_step
from ..utils.latent_frames import latent_groups
from .config import SamplingConfig
from .folded_student import LeanStudent
from .quantization import Arithmetic

Taken = TypeVar("Taken", bound=WindowCondition)


class StudentStream(Generic[Taken]):
    """Draws a video of any length in memory that does not grow."""

    def __init__(self, student: StreamingNet[Taken], cells: tuple[int, int], memory: Memory, stride: int = 1) -> None:
        """cells: latent cells down and across. stride: video frames of a latent frame.

        Raises:
            ValueError: `memory.max_frames` is beyond the positions of the student.
        """
        if memory.max_frames > student.longest:
            raise ValueError(
                f"streaming: the longest window is {memory.max_frames} frames, the denoiser knows {student.longest}"
            )
        self._student, grid = student, (cells[0] // student.patch, cells[1] // student.patch)
        self._planner = StreamPlanner(memory, grid, student.device, stride)
        positions = rope_factors(*student.position_turns(memory.max_frames, cells))
        self._steps = [StreamStep(positions) for _ in student.steps]

    @property
    def steps(self) -> int:
        """Denoising steps of a chunk."""
        return len(self._steps)

    def plan(self, track: PoseTrack) -> ChunkPlan:
        """What the next T latent frames look back at, of the F video frames of `track`.

        Chunk after chunk, each once: it remembers their poses.
        """
        return self._planner.advance(track)

    @torch.no_grad()
    def step(self, index: int, x_1CThw: torch.Tensor, condition: Taken, plan: ChunkPlan) -> torch.Tensor:
        """One denoising step of a chunk, (1, C, T, h, w) -> the same.

        Each step keeps its own past. So one thread may do a step of one chunk while another does the next step of the
        chunk before; each step must see every chunk, in order.
        """
        now, after = self._student.times[index : index + 2]
        step = self._steps[index]
        step.plan = plan
        x0 = self._student.steps[index](x_1CThw, condition, step)
        return euler_step(x_1CThw, x0, now, after)

    def draw(self, noise_1CThw: torch.Tensor, condition: Taken, track: PoseTrack) -> torch.Tensor:
        """Latents (1, C, T, h, w) of the next T frames: `plan`, then every `step`. condition: of these frames."""
        plan, x = self.plan(track), noise_1CThw
        for index in range(self.steps):
            x = self.step(index, x, condition, plan)
        return x

    @property
    def frames_kept(self) -> list[int]:
        """Numbers of the past frames in memory."""
        return self._planner.kept

    def memory_bytes(self) -> int:
        """Of all keys and values kept."""
        return sum(cache.nbytes for step in self._steps for cache in step.caches.values())


def ready_to_stream(
    denoiser: DenoisingNet, times: Sequence[float], arithmetic: Arithmetic
) -> StreamingNet[Any]:  # Any: its conditions are of the denoiser's family, which only a look at it tells
    """A student of either family. times: of a `SamplingConfig`. arithmetic: of the embedded family; Wan's
    draws in that of its weights.

    Raises:
        ValueError: it is not a student.
    """
    if isinstance(denoiser, Denoiser):
        return LeanStudent(denoiser, times, arithmetic)
    if isinstance(denoiser, WanStudent):
        return WanStreaming(denoiser, times)
    raise ValueError(f"a {type(denoiser).__name__} cannot draw as a stream")


def sample_stream(
    student: StreamingNet[Taken],
    noise_1CThw: torch.Tensor,
    condition: Taken,
    track: PoseTrack,
    config: SamplingConfig,
    stride: int = 1,
) -> torch.Tensor:
    """Latents (1, C, T, h, w) of any number of frames, each drawn once; arguments as of `StudentStream.draw`.

    Raises:
        ValueError: `config` does not draw as a stream.
    """
    height, width = noise_1CThw.shape[3:]
    stream, drawn = StudentStream(student, (height, width), config.memory(stride), stride), []
    assert config.stream is not None  # `memory` has seen it
    chunk, groups = config.stream.chunk, latent_groups(len(track), stride)
    for start in range(0, len(groups), chunk):
        now = slice(start, min(start + chunk, len(groups)))
        video = slice(groups[now.start][0], groups[now.stop - 1][1])
        part = condition.frames(now.start, now.stop)
        drawn.append(stream.draw(noise_1CThw[:, :, now], part, track[video]))
    return torch.cat(drawn, dim=2)
