"""Distil the student: the adapted teacher's weights and attention, few steps."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from stages.lib.artifacts import Curated, Targets
from stages.lib.attention.picture import attention_sheet
from stages.lib.attention.plan import AttentionPlan, Mask, kept_share
from stages.lib.checkpoint import Checkpoint, run_digest
from stages.lib.context import Context
from stages.lib.curves import save_loss_curve
from stages.lib.dataset import CellWeights, Window, collate, load_clips
from stages.lib.device import pick_device
from stages.lib.distillation import Trajectory, attach, plan_windows, region_cells, region_loss, token_grid
from stages.lib.files import atomic_path
from stages.lib.losses import channel_weights, weighted_error
from stages.lib.media import read_frames, save_png
from stages.lib.nets.codec import Codec
from stages.lib.nets.denoiser import Denoiser
from stages.lib.nets.precision import autocast
from stages.lib.preview import psnr, save_sheet, to_pictures
from stages.lib.regions import REGION_NAMES
from stages.lib.report import Figure, StageReport
from stages.lib.sampling import sample
from stages.lib.training import Optimisation, Trained, train
from stages.params import Params

_STEPS = (1, 2, 4)
"""Numbers of steps that the student is tried at, whatever it was distilled for."""
_COMPARED = 3
"""Held-out clips on which the slow teacher is run beside the student."""


def run(params: Params, context: Context) -> StageReport:
    """Writes models/student."""
    workspace = context.workspace
    curated = Curated.load(workspace.curated)
    weights = CellWeights(**params.teacher.weights.model_dump())
    clips = load_clips(workspace, curated, "train", weights)
    targets = sorted(workspace.targets.glob("*.safetensors"))
    if not targets:
        raise ValueError(f"{workspace.targets}: no teacher targets; run the stage teacher_targets (dvc repro)")
    by_name = {clip.clip: clip for clip in clips}
    trajectories = [attach(Targets.load(path), by_name) for path in targets]
    parts = len(trajectories[0].times) - 1
    if parts % params.student.steps:
        raise ValueError(
            f"student.steps is {params.student.steps}, which does not divide the {parts} parts of the targets"
        )
    device = pick_device(params.compute.device)
    codec = Codec.from_pretrained(workspace.model("codec") / "image").to(device).eval().requires_grad_(False)

    inputs = [*targets, workspace.model("adapted_teacher"), workspace.model("codec")]
    inputs += [path for clip in clips for path in (workspace.latents(clip.clip), workspace.poses(clip.clip))]
    sections = [each.model_dump(mode="json") for each in (params.student, params.teacher, params.attention)]
    values = {"params": sections, "seed": params.seed}
    checkpoint = Checkpoint(workspace.scratch / run_digest("distill_student", values, inputs))
    trained = _train(params, context, trajectories, codec, checkpoint)
    with atomic_path(workspace.model("student")) as folder:
        trained.average.save_pretrained(folder)
    checkpoint.remove()

    tested = _test(params, context, curated, trained.average, codec)
    folder = workspace.stage_report("distill_student")
    report = _report(params, folder, trained, tested)
    report.save(folder)
    return report


def _train(
    params: Params,
    context: Context,
    trajectories: Sequence[Trajectory],
    codec: Codec,
    checkpoint: Checkpoint,
) -> Trained[Denoiser]:
    section, teacher, device = params.student, params.teacher, codec.sensitivity.device
    student = Denoiser.from_pretrained(context.workspace.model("adapted_teacher")).to(device)
    settings = Optimisation(**section.optimisation.model_dump())
    channel_C = channel_weights(codec.sensitivity)

    def loss(model: Denoiser, step: int, generator: torch.Generator) -> torch.Tensor:
        chosen = torch.randint(len(trajectories), (section.batch,), generator=generator)
        with autocast(device, teacher.precision):
            return _distillation_loss(params, model, [trajectories[i] for i in chosen], channel_C, generator)

    with context.progress("distil student", settings.steps) as bar:
        return train(student, loss, settings, params.seed, bar, checkpoint)


def _distillation_loss(
    params: Params,
    model: Denoiser,
    trajectories: Sequence[Trajectory],
    channel_C: torch.Tensor,
    generator: torch.Generator,
) -> torch.Tensor:
    """From a state of the student's own steps on the teacher's path to the teacher's result and to the truth."""
    section, device = params.student, channel_C.device
    steps = torch.randint(section.steps, (len(trajectories),), generator=generator).tolist()
    states = [each.state(step, section.steps) for each, step in zip(trajectories, steps, strict=True)]
    batch = collate([each.window for each in trajectories]).to(device)
    plan = plan_windows(batch.windows, model.config.patch, _mask(params), device)
    noisy_BCThw = torch.stack([state for state, _ in states]).to(device)
    made_BCThw = model(noisy_BCThw, torch.stack([at for _, at in states]).to(device), batch.condition, plan)
    total = made_BCThw.new_zeros(())
    if section.regression > 0:
        drawn_BCThw = torch.stack([each.result for each in trajectories]).to(device)
        total = total + section.regression * weighted_error(made_BCThw, drawn_BCThw, channel_C, batch.weights_BThw)
    if section.region > 0:
        weights = {REGION_NAMES.index(name): weight for name, weight in section.regions.model_dump().items()}
        regions = region_cells(batch.windows).to(device)
        total = total + section.region * region_loss(made_BCThw, batch.latents_BCThw, regions, channel_C, weights)
    return total


def _mask(params: Params) -> Mask:
    return Mask(params.attention.mask, params.attention.past_frames)


@dataclass(frozen=True)
class _Drawn:
    """pictures: (T, H, W, 3) uint8. fps: from poses to decoded frames."""

    pictures: np.ndarray
    fps: float


@torch.no_grad()
def _draw(params: Params, model: Denoiser, codec: Codec, window: Window, index: int, steps: int) -> _Drawn:
    """One held-out window, teacher and student from the same noise."""
    device = codec.sensitivity.device
    start = time.perf_counter()
    batch = collate([window]).to(device)
    generator = torch.Generator().manual_seed(params.seed + index)
    noise = torch.randn(batch.latents_BCThw.shape, generator=generator).to(device)
    plan = plan_windows([window], model.config.patch, _mask(params), device)
    with autocast(device, params.teacher.precision):
        latents = sample(model, noise, batch.condition, steps, params.teacher.shift, plan)
        pictures = to_pictures(codec.decode(latents[0].transpose(0, 1).float()))
    return _Drawn(pictures, len(pictures) / (time.perf_counter() - start))


@dataclass(frozen=True)
class _Tested:
    """A window of a held-out clip. student: by number of steps. teacher: at its own steps, on the first few clips."""

    window: Window
    seen: bool
    reference: np.ndarray
    truth: np.ndarray
    student: dict[int, _Drawn]
    teacher: _Drawn | None

    def student_psnr(self, steps: int) -> float:
        return float(psnr(self.student[steps].pictures, self.truth).mean())

    def teacher_psnr(self) -> float:
        assert self.teacher is not None
        return float(psnr(self.teacher.pictures, self.truth).mean())


def _test(params: Params, context: Context, curated: Curated, student: Denoiser, codec: Codec) -> list[_Tested]:
    """The middle window of every held-out clip, from its first frame; people seen in training come first."""
    workspace = context.workspace
    teacher = Denoiser.from_pretrained(workspace.model("adapted_teacher")).to(codec.sensitivity.device).eval()
    clips = load_clips(workspace, curated, "test", CellWeights(**params.teacher.weights.model_dump()))
    seen_people = curated.seen_speakers()
    clips.sort(key=lambda clip: clip.speaker not in seen_people)
    tested = []
    with context.progress("test student", len(clips)) as bar:
        for index, clip in enumerate(clips):
            start = max(0, (len(clip) - params.targets.frames) // 2)
            window = Window(clip, start, min(start + params.targets.frames, len(clip)), 0)
            by_steps = {
                steps: _draw(params, student, codec, window, index, steps)
                for steps in sorted({*_STEPS, params.student.steps})
            }
            beside = None
            if index < _COMPARED:
                beside = _draw(params, teacher, codec, window, index, params.teacher.steps)
            real = read_frames(workspace.video(clip.clip))
            seen = clip.speaker in seen_people
            tested.append(_Tested(window, seen, real[0], real[window.frames], by_steps, beside))
            bar.update(1)
    return tested


def _report(params: Params, folder: Path, trained: Trained[Denoiser], tested: Sequence[_Tested]) -> StageReport:
    section, patch = params.student, trained.average.config.patch
    plans = [plan_windows([each.window], patch, _mask(params)) for each in tested]
    figures: dict[str, Figure] = {"loss": float(np.mean(trained.losses[-50:]))}
    for steps in sorted({*_STEPS, section.steps}):
        for name, seen in (("seen", True), ("unseen", False)):
            scores = [each.student_psnr(steps) for each in tested if each.seen is seen]
            figures[f"psnr_{name}_{steps}_steps"] = float(np.mean(scores)) if scores else None
    compared = [each for each in tested if each.teacher is not None]
    pictures = {"training loss": save_loss_curve(folder, trained.losses, "student")}
    if not compared:
        return StageReport(
            "distill_student", "student distilled; no held-out clip to test it on", figures, {}, pictures
        )

    ours = float(np.mean([each.student_psnr(section.steps) for each in compared]))
    theirs = float(np.mean([each.teacher_psnr() for each in compared]))
    figures |= {
        "compared_clips": len(compared),
        "compared_psnr_student": ours,
        "compared_psnr_teacher": theirs,
        "attended_share": float(np.mean([kept_share(plan) for plan in plans])),
    }
    fps = float(np.median([each.student[section.steps].fps for each in compared]))
    teacher_fps = float(np.median([each.teacher.fps for each in compared if each.teacher is not None]))
    timings = {"student_fps": fps, "teacher_fps": teacher_fps, "ratio": fps / teacher_fps}
    pictures |= _pictures(params, folder, compared, plans[0], patch)
    summary = (
        f"student at {section.steps} steps: {ours:.2f} dB on {len(compared)} held-out clips, teacher at "
        f"{params.teacher.steps} steps {theirs:.2f}; it attends to {figures['attended_share']:.1%} of the pairs"
    )
    return StageReport("distill_student", summary, figures, timings, pictures)


def _pictures(
    params: Params, folder: Path, compared: Sequence[_Tested], plan: AttentionPlan | None, patch: int
) -> dict[str, Path]:
    """Of the compared clips side by side, and of the attention in the first of them."""
    columns = [
        np.stack([each.reference for each in compared]),
        np.stack([each.truth[0] for each in compared]),
        np.stack([each.teacher.pictures[0] for each in compared if each.teacher is not None]),
        np.stack([each.student[params.student.steps].pictures[0] for each in compared]),
    ]
    first = compared[0]
    grid = token_grid(first.window.clip, patch)
    pictures = {"held-out frames: reference, real, teacher, student": save_sheet(folder / "held_out.png", columns)}
    if plan is not None:
        save_png(folder / "attention.png", attention_sheet(first.truth, plan, len(first.truth) - 1, grid))
        pictures["regions, and what a token of a hand and one of the face see"] = folder / "attention.png"
    return pictures
