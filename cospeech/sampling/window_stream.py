"""`sampling.sample_windows` of a video that comes frame by frame: the same latents, in memory that does not grow.

Axes: B batch, C latent channels, T frames, h w latent cells.
"""

from collections.abc import Callable
from itertools import pairwise

import torch

from ..attention.plan import AttentionPlan
from ..models.common.protocols import DenoisingNet
from ..models.common.tensor_record import WindowCondition
from ..utils.euler import euler_step
from .config import SamplingConfig
from .euler import window_ramp, window_spans

Look = Callable[[int, int], tuple[WindowCondition, AttentionPlan | None]]
"""(start, stop) -> what the window is drawn from, and how it attends; None: dense."""


class WindowStream:
    """Each step fuses its own windows as soon as all their frames are there, and hands on to the next those that no
    later window touches. So a frame comes out some windows after it went in, the more the more steps there are."""

    def __init__(self, denoiser: DenoisingNet, config: SamplingConfig, look: Look, stride: int = 1) -> None:
        """look: called once for each window, in order; of no later one will it be asked for an earlier frame.
        stride: video frames of a latent frame."""
        window, overlap = config.latent_window(stride)
        window_spans(1, window, overlap)  # refuses what does not advance
        self._look = look
        self._steps = [
            _Step(denoiser, now, after, window, overlap, self._seen) for now, after in pairwise(config.times)
        ]
        self._looks: dict[tuple[int, int], tuple[int, tuple[WindowCondition, AttentionPlan | None]]] = {}

    @torch.no_grad()
    def push(self, noise_BCThw: torch.Tensor) -> torch.Tensor:
        """Takes noise of the next frames; the latents that are done by now, in order, (B, C, maybe 0, h, w)."""
        x_BCThw = noise_BCThw
        for step in self._steps:
            x_BCThw = step.push(x_BCThw)
        return x_BCThw

    @torch.no_grad()
    def finish(self) -> torch.Tensor:
        """The latents that are left, once all frames were pushed, one or more."""
        x_BCThw = self._steps[0].finish()
        for step in self._steps[1:]:
            x_BCThw = torch.cat([step.push(x_BCThw), step.finish()], 2)
        return x_BCThw

    def memory_bytes(self) -> int:
        """Of the frames in all steps."""
        return sum(step.memory_bytes() for step in self._steps)

    def _seen(self, start: int, stop: int) -> tuple[WindowCondition, AttentionPlan | None]:
        """As `look`, which is asked by the first step for all."""
        known = self._looks.pop((start, stop), None)
        left, seen = known or (len(self._steps), self._look(start, stop))
        if left > 1:
            self._looks[start, stop] = left - 1, seen
        return seen


class _Step:
    """One Euler step. x: the frames from `begun` on that are not handed on yet."""

    def __init__(self, denoiser: DenoisingNet, now: float, after: float, window: int, overlap: int, look: Look) -> None:
        self._denoiser, self._now, self._after, self._look = denoiser, now, after, look
        self._window, self._advance = window, window - overlap
        self._begun = self._next = 0
        self._x: torch.Tensor | None = None
        self._sum = torch.zeros(0)
        self._weight = torch.zeros(0)

    def push(self, x_BCThw: torch.Tensor) -> torch.Tensor:
        if self._x is None:
            self._x, self._sum, self._weight = x_BCThw[:, :, :0], x_BCThw[:, :, :0], x_BCThw.new_zeros(0)
        self._x = torch.cat([self._x, x_BCThw], 2)
        self._sum = torch.cat([self._sum, torch.zeros_like(x_BCThw)], 2)
        self._weight = torch.cat([self._weight, x_BCThw.new_zeros(x_BCThw.shape[2])])
        done = [x_BCThw[:, :, :0]]
        while self._next + self._window < self._begun + self._x.shape[2]:  # a window at the very end is `finish`'s
            self._draw(self._next, self._next + self._window)
            done.append(self._hand_on(self._next))
            self._next += self._advance
        return torch.cat(done, 2)

    def memory_bytes(self) -> int:
        return 0 if self._x is None else self._x.nbytes + self._sum.nbytes + self._weight.nbytes

    def finish(self) -> torch.Tensor:
        assert self._x is not None
        end = self._begun + self._x.shape[2]
        self._draw(max(end - self._window, 0), end)  # moved back, so that it is whole
        return self._hand_on(end)

    def _draw(self, start: int, stop: int) -> None:
        assert self._x is not None
        part, timestep_B = slice(start - self._begun, stop - self._begun), self._x.new_full((len(self._x),), self._now)
        condition, plan = self._look(start, stop)
        ramp = window_ramp(stop - start).to(self._weight)
        x0 = self._denoiser(self._x[:, :, part], timestep_B, condition, plan)
        self._sum[:, :, part] += x0 * ramp[:, None, None]
        self._weight[part] += ramp

    def _hand_on(self, until: int) -> torch.Tensor:
        """A step further: the frames before `until`."""
        assert self._x is not None
        count = until - self._begun
        x0 = self._sum[:, :, :count] / self._weight[:count, None, None]
        done = euler_step(self._x[:, :, :count], x0, self._now, self._after)
        self._x, self._sum, self._weight = self._x[:, :, count:], self._sum[:, :, count:], self._weight[count:]
        self._begun = until
        return done
