"""What the student is trained on: the losses of its two phases, as `cospeech.training.trainer` calls them.

Axes: B batch, C latent channels, T frames, h w latent cells.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

from cospeech.attention.plan import AttentionPlan
from cospeech.datasets.attention_plans import plan_windows
from cospeech.datasets.trajectories import Trajectory
from cospeech.datasets.windows import Batch, Clip, Window, collate, draw_windows
from cospeech.harness.distributed import ProcessGroup
from cospeech.models.common.protocols import DenoisingNet, VideoCodec
from cospeech.sampling.config import SamplingConfig
from cospeech.sampling.euler import first_noise
from cospeech.training.dmd import draw_few_steps, matching_loss, matching_times
from cospeech.training.losses import add_noise, channel_weights, error_weights, training_timesteps, weighted_error
from cospeech.training.region_loss import Judges, choose_frames, region_loss
from cospeech.utils.precision import autocast


@dataclass(frozen=True)
class Few:
    """How the student samples and what a step is trained on: `batch` windows of `frames` frames, sharded over
    `process_group`. sampling: its precision is that of training.
    """

    sampling: SamplingConfig
    batch: int
    frames: int
    codec: VideoCodec
    process_group: ProcessGroup

    @property
    def device(self) -> torch.device:
        return self.codec.sensitivity.device

    @property
    def per_channel(self) -> torch.Tensor:
        return channel_weights(self.codec.sensitivity)

    def autocast(self) -> AbstractContextManager:
        return autocast(self.device, self.sampling.precision, self.process_group.accelerator)

    def plan(self, windows: Sequence[Window], model: DenoisingNet) -> AttentionPlan | None:
        return plan_windows(windows, model.patch, self.sampling.attention, self.device)

    def noise(self, like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """This process's share of the noise for a whole batch of the shape of `like`."""
        return self.process_group.shard(torch.randn((self.batch, *like.shape[1:]), generator=generator)).to(like)

    def first_noise(self, like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """The same, for the student to begin with."""
        shape = (self.batch, *like.shape[1:])
        return self.process_group.shard(first_noise(shape, self.sampling.temperature, generator)).to(like)


@dataclass(frozen=True)
class Regression:
    """The first phase: from a state on the teacher's path, where the student has a step, to the result."""

    few: Few
    trajectories: Sequence[Trajectory]
    weight: float

    def loss(self, model: DenoisingNet, step: int, generator: torch.Generator) -> torch.Tensor:
        few, count = self.few, self.few.batch
        chosen = torch.randint(len(self.trajectories), (count,), generator=generator).tolist()
        starts = torch.randint(few.sampling.steps, (count,), generator=generator).tolist()
        pairs = few.process_group.shard(
            [(self.trajectories[i], start) for i, start in zip(chosen, starts, strict=True)]
        )
        states = [trajectory.state(start, few.sampling.steps) for trajectory, start in pairs]
        batch = collate([trajectory.window for trajectory, _ in pairs]).to(few.device)
        noisy_BCThw = torch.stack([state for state, _ in states]).to(few.device)
        times_B = torch.stack([time for _, time in states]).to(few.device)
        drawn_BCThw = torch.stack([trajectory.result for trajectory, _ in pairs]).to(few.device)
        with few.autocast():
            made_BCThw = model(noisy_BCThw, times_B, batch.condition, few.plan(batch.windows, model))
        return self.weight * weighted_error(made_BCThw, drawn_BCThw, few.per_channel, batch.weights_BThw)


@dataclass(frozen=True)
class Matching:
    """The second phase: the student's own samples of real windows, under eq. 4 and eq. 5 of arXiv 2510.02617.

    teacher: adapted, frozen; its score is the real one. critic: its score is that of what the student draws. dmd,
    region: weights; 0 leaves a term out. regions: region to its weight. region_frames: decoded of each window.
    """

    few: Few
    clips: Sequence[Clip]
    teacher: DenoisingNet
    critic: DenoisingNet
    student: DenoisingNet
    judges: Judges
    dmd: float
    region: float
    regions: Mapping[int, float]
    region_frames: int

    def student_loss(self, model: DenoisingNet, step: int, generator: torch.Generator) -> torch.Tensor:
        few = self.few
        batch, plan = self._windows(generator)
        with few.autocast():
            made_BCThw = self._sample(model, batch, plan, generator)
            total = made_BCThw.new_zeros(())
            if self.dmd > 0:
                noise, times_B = self._noising(made_BCThw, generator)
                weight_BCThw = error_weights(few.per_channel, batch.weights_BThw)
                total = total + self.dmd * matching_loss(
                    self.teacher, self.critic, made_BCThw, noise, times_B, batch.condition, weight_BCThw, plan
                )
            if self.region > 0:
                frames = choose_frames(self.region_frames, few.frames, generator)
                total = total + self.region * region_loss(
                    self.judges, made_BCThw, batch.latents_BCThw, batch.windows, frames, self.regions
                )
        return total

    def critic_loss(self, model: DenoisingNet, step: int, generator: torch.Generator) -> torch.Tensor:
        """The denoising loss on what the student draws: its minimum is the student's own score."""
        few = self.few
        batch, plan = self._windows(generator)
        with few.autocast():
            with torch.no_grad():
                made_BCThw = self._sample(self.student, batch, plan, generator)
            noise = few.noise(made_BCThw, generator)
            times_B = few.process_group.shard(training_timesteps(few.batch, few.sampling.shift, generator)).to(
                made_BCThw
            )
            denoised_BCThw = model(add_noise(made_BCThw, noise, times_B), times_B, batch.condition, plan)
            return weighted_error(denoised_BCThw, made_BCThw, few.per_channel, batch.weights_BThw)

    def _windows(self, generator: torch.Generator) -> tuple[Batch, AttentionPlan | None]:
        few = self.few
        batch = draw_windows(self.clips, few.batch, few.frames, generator, few.process_group).to(few.device)
        return batch, few.plan(batch.windows, self.student)

    def _sample(
        self, student: DenoisingNet, batch: Batch, plan: AttentionPlan | None, generator: torch.Generator
    ) -> torch.Tensor:
        """By the student's own steps, to one of them chosen at random."""
        few = self.few
        last = int(torch.randint(few.sampling.steps, (1,), generator=generator))
        noise = few.first_noise(batch.latents_BCThw, generator)
        return draw_few_steps(student, noise, batch.condition, few.sampling, last, plan)

    def _noising(self, like: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        few = self.few
        times = matching_times(few.batch, few.sampling.shift, generator)
        return few.noise(like, generator), few.process_group.shard(times).to(like)
