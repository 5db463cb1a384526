"""Let the adapted teacher draw windows of the training clips and keep its paths for the student."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from cospeech.artifacts import Curated, Targets
from cospeech.attention.plan import MaskConfig
from cospeech.config import Params, dumped
from cospeech.datasets.attention_plans import plan_windows
from cospeech.datasets.loss_weights import CellWeights
from cospeech.datasets.windows import Clip, Window, collate
from cospeech.families.factory import pick_family
from cospeech.harness.context import Context
from cospeech.harness.files import atomic_path, folder_digest
from cospeech.harness.process_pool import ClipFailure, map_clips
from cospeech.harness.stage_report import Figure, StageReport
from cospeech.harness.workspace import Workspace
from cospeech.media import read_frames
from cospeech.metrics.image import psnr
from cospeech.plots.contact_sheet import save_sheet
from cospeech.sampling.config import SamplingConfig
from cospeech.sampling.euler import OnState, first_noise, sample
from cospeech.sampling.sections import teacher_sampling
from cospeech.training.checkpoint import run_digest
from cospeech.utils.device import pick_device
from cospeech.utils.images import to_images
from cospeech.utils.precision import autocast
from cospeech.utils.random import step_generator


def run(params: Params, context: Context) -> StageReport:
    """Writes data/targets/CLIP-START.safetensors, one a window."""
    workspace, section = context.workspace, params.targets
    curated = Curated.load(workspace.curated)
    family = pick_family(dumped(params.wan), params.teacher.precision, params.seed)
    clips = family.clips(workspace, curated, "train", CellWeights(**params.teacher.weights.model_dump()))
    windows = choose_windows(clips, section.windows, section.frames, params.seed)
    drawer = drawer_of(params, workspace.root)
    inputs = [workspace.curated, workspace.model("adapted_teacher"), *(workspace.latents(clip.clip) for clip in clips)]
    sections = [each.model_dump(mode="json") for each in (section, params.teacher, params.attention)]
    values = {"params": sections, "seed": params.seed, "wan": dumped(params.wan)}
    scratch = workspace.scratch / run_digest("teacher_targets", values, inputs)
    reused = sum(_kept(scratch / _name(window)) is not None for window in windows)
    drawn = _draw_all(params, context, windows, scratch)
    report = _report(params, context, drawer, windows, drawn, reused)
    with atomic_path(workspace.targets) as folder:
        folder.mkdir()
        for window in windows:
            shutil.copyfile(scratch / _name(window), folder / _name(window))
    shutil.rmtree(scratch)
    return report


def choose_windows(clips: Sequence[Clip], count: int, frames: int, seed: int) -> list[Window]:
    """`count` different windows, spread evenly over the clips, each with a random frame of its clip as reference.

    Raises:
        ValueError: the clips do not have so many windows.
    """
    usable = [(clip, starts) for clip in clips if (starts := clip.starts(frames))]
    generator = step_generator(seed, 0)
    orders = [torch.randperm(len(starts), generator=generator).tolist() for _, starts in usable]
    rounds = -(-count // max(len(usable), 1))
    if not usable or any(len(each) < rounds for each in orders[: count - (rounds - 1) * len(usable)]):
        raise ValueError(
            f"targets.windows asks for {count} windows of {frames} frames; {len(clips)} clips are too short"
        )
    windows = []
    for index in range(count):
        clip, starts = usable[index % len(usable)]
        start = starts[orders[index % len(usable)][index // len(usable)]]
        reference = clip.references[int(torch.randint(len(clip.references), (1,), generator=generator))]
        windows.append(Window(clip, start, start + frames, reference))
    return windows


@dataclass(frozen=True)
class TargetJob:
    """One window for a worker: `clip` its clip, `index` its place, which names its noise."""

    clip: str
    params: Params
    root: Path
    window: Window
    index: int
    path: Path


def draw_job(job: TargetJob) -> None:
    """Leaves the teacher's path at `job.path`, unless an earlier run did."""
    if _kept(job.path) is None:
        drawer_of(job.params, job.root).draw(job.window, job.index).save(job.path)


def _draw_all(params: Params, context: Context, windows: Sequence[Window], scratch: Path) -> list[Targets]:
    """In this process, which may own a GPU; on the cluster where there is one."""
    root = context.workspace.root
    jobs = [
        TargetJob(window.clip.clip, params, root, window, index, scratch / _name(window))
        for index, window in enumerate(windows)
    ]
    with context.progress("teacher targets", len(jobs)) as bar:
        if params.compute.cluster is None:
            for job in jobs:
                draw_job(job)
                bar.update(1)
        else:
            with context.executor() as executor:
                failed = [each for _, each in map_clips(draw_job, jobs, executor, bar) if isinstance(each, ClipFailure)]
            if failed:
                raise ValueError(f"{len(failed)} windows failed, the first of {failed[0].clip}: {failed[0].reason}")
    return [Targets.load(job.path) for job in jobs]


def _name(window: Window) -> str:
    return f"{window.clip.clip}-{window.start}.safetensors"


def _kept(path: Path) -> Targets | None:
    """What an interrupted run left; a damaged file counts as absent."""
    try:
        return Targets.load(path)
    except ValueError:
        return None


class _Drawer:
    """The teacher and the codec, loaded once."""

    def __init__(self, params: Params, workspace: Workspace) -> None:
        self.params, self.workspace = params, workspace
        self.device = pick_device(params.compute.device)
        family = pick_family(dumped(params.wan), params.teacher.precision, params.seed)
        self.teacher = family.load(workspace, "adapted_teacher", self.device, guided=True)
        self.codec = family.codec(workspace, self.device)

    def draw(self, window: Window, index: int) -> Targets:
        """The teacher's path over one window; every k-th state of its steps is kept, the first and the last too."""
        config = teacher_sampling(self.params.teacher)
        every = config.steps // self.params.targets.states
        kept: list[torch.Tensor] = []
        shape = collate([window]).latents_BCThw.shape
        generator = step_generator(self.params.seed, 1 + index)
        noise = first_noise(shape, config.temperature, generator).half()  # as it is stored

        def keep(step: int, state: torch.Tensor) -> None:
            if step % every == 0:
                kept.append(state[0].half().cpu())

        self._sample(window, noise.float(), config, keep)
        return Targets(
            clip=window.clip.clip,
            frames=np.arange(window.start, window.stop),
            reference=window.reference,
            timesteps=np.array(config.times[::every], np.float32),
            states=torch.stack(kept).numpy(),
        )

    def one_step(self, targets: Targets, window: Window) -> torch.Tensor:
        """The teacher's result (C, T, h, w) in a single step from the same noise."""
        config = replace(teacher_sampling(self.params.teacher), steps=1)
        return self._sample(window, torch.from_numpy(targets.states[:1]).float(), config)[0]

    def decode(self, latents_CThw: torch.Tensor) -> np.ndarray:
        """(T, H, W, 3) uint8."""
        with torch.no_grad(), autocast(self.device, self.params.teacher.precision):
            return to_images(self.codec.decode_video(latents_CThw.to(self.device).float()))

    def _sample(
        self, window: Window, noise: torch.Tensor, config: SamplingConfig, on_state: OnState | None = None
    ) -> torch.Tensor:
        condition = collate([window]).condition.to(self.device)
        mask = MaskConfig(self.params.attention.mask, self.params.attention.past_frames)
        plan = plan_windows([window], self.teacher.patch, mask, self.device)
        with autocast(self.device, config.precision):
            return sample(self.teacher, noise.to(self.device), condition, config, plan, on_state)


@lru_cache(maxsize=1)
def _drawer(params: str, root: Path, weights: str) -> _Drawer:
    """`weights` keeps an old teacher from being taken for one that was trained since."""
    return _Drawer(Params.model_validate_json(params), Workspace(root))


def drawer_of(params: Params, root: Path) -> _Drawer:
    """One a process, kept from window to window."""
    model = Workspace(root).model("adapted_teacher")
    return _drawer(params.model_dump_json(), root, folder_digest(model))


def _report(
    params: Params, context: Context, drawer: _Drawer, windows: Sequence[Window], drawn: Sequence[Targets], reused: int
) -> StageReport:
    """PSNR against the real frames of the teacher's result and of its single step: the student learns the former."""
    workspace, steps = context.workspace, params.teacher.steps
    scores, shown = [], []
    for window, targets in zip(windows, drawn, strict=True):
        real = read_frames(workspace.video(window.clip.clip))
        truth, many = real[window.frames], drawer.decode(torch.from_numpy(targets.states[-1]))
        one = drawer.decode(drawer.one_step(targets, window))
        copied = np.broadcast_to(real[window.reference], truth.shape)
        scores.append([psnr(made, truth).mean() for made in (many, one, copied)])
        shown.append((real[window.reference], truth[0], one[0], many[0]))
    many_db, one_db, copy_db = np.mean(scores, axis=0).tolist()
    figures: dict[str, Figure] = {
        "windows": len(windows), "frames": params.targets.frames, "psnr": many_db, "psnr_one_step": one_db,
        "psnr_copy": copy_db,
    }  # fmt: skip
    summary = f"{len(windows)} windows of training clips: {many_db:.2f} dB at {steps} steps, {one_db:.2f} at one"
    if many_db < one_db:
        summary += "; a student of these paths learns to be worse than the teacher's single step"
    folder = workspace.stage_report("teacher_targets")
    columns = [np.stack(column) for column in zip(*shown[:6], strict=True)]
    sheet = save_sheet(folder / "targets.png", columns)
    caption = f"training frames: reference, real, teacher at 1 step, at {steps} steps"
    report = StageReport("teacher_targets", summary, figures, {"windows_reused": reused}, {caption: sheet})
    report.save(folder)
    return report
