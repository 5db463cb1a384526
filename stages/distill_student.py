"""Distil the student from the adapted teacher: first regression on its paths, then matching."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cospeech.artifacts import Curated, Targets
from cospeech.attention.plan import AttentionPlan, kept_share
from cospeech.attention.visualize import attention_sheet
from cospeech.config import Params, dumped
from cospeech.datasets.attention_plans import plan_windows, token_grid
from cospeech.datasets.loss_weights import CellWeights
from cospeech.datasets.trajectories import Trajectory, attach
from cospeech.datasets.windows import Clip, Window, middle_window
from cospeech.families.base import Family
from cospeech.families.factory import pick_family
from cospeech.harness.context import Context
from cospeech.harness.files import atomic_path
from cospeech.harness.stage_report import Figure, StageReport
from cospeech.harness.workspace import Workspace
from cospeech.media import read_frames, save_png
from cospeech.metrics.image import psnr
from cospeech.models.common.protocols import DenoisingNet, VideoCodec
from cospeech.models.perception.face import load_face_net
from cospeech.models.perception.lpips import load_lpips
from cospeech.plots.contact_sheet import save_sheet
from cospeech.plots.loss_curve import save_loss_curve
from cospeech.pose.regions import REGION_NAMES
from cospeech.sampling.config import SamplingConfig
from cospeech.sampling.generation import Drawn, Sampler, draw
from cospeech.sampling.sections import student_sampling
from cospeech.training.checkpoint import Checkpoint, run_digest
from cospeech.training.distillation import Few, Matching, Regression
from cospeech.training.region_loss import Judges
from cospeech.training.trainer import Learner, Optimisation, Trained, train, train_together
from cospeech.utils.device import pick_device
from cospeech.utils.latent_frames import middle_frames

STAGE = "distill_student"
_STEPS = (1, 2, 4)
"""Numbers of steps that the student is tried at, whatever it was distilled for."""
_COMPARED = 3
"""Held-out clips on which the slow teacher is run beside the student."""


def run(params: Params, context: Context) -> StageReport:
    """Writes models/student."""
    workspace, section = context.workspace, params.student
    curated = Curated.load(workspace.curated)
    family = pick_family(dumped(params.wan), params.teacher.precision, params.seed)
    clips = family.clips(workspace, curated, "train", CellWeights(**params.teacher.weights.model_dump()))
    trajectories = _trajectories(params, workspace, clips) if section.regression > 0 else []
    device = pick_device(params.compute.device)
    codec = family.codec(workspace, device)
    judges = Judges(
        codec,
        None if section.face_features is None else load_face_net(section.face_features).to(device),
        None if section.lpips is None else load_lpips(section.lpips).to(device),
    )
    scratch = workspace.scratch / _digest(params, workspace, clips)
    student, losses = family.student(workspace, device), {}
    for name, phase in (("regression", _regress), ("matching", _match)):
        trained = phase(params, context, family, student, clips, trajectories, judges, Checkpoint(scratch / name))
        if trained is not None:
            student, losses[name] = trained.average, trained.losses
    if not context.process_group.is_main:
        return StageReport(STAGE, "the first process saves and tests the student", {})
    with atomic_path(workspace.model("student")) as folder:
        student.save_pretrained(folder)
    Checkpoint(scratch).remove()

    tested = _test(params, context, family, curated, student, codec)
    report = _report(params, workspace.stage_report(STAGE), losses, tested, judges, student.patch)
    report.save(workspace.stage_report(STAGE))
    return report


def _trajectories(params: Params, workspace: Workspace, clips: Sequence[Clip]) -> list[Trajectory]:
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
    return trajectories


def _digest(params: Params, workspace: Workspace, clips: Sequence[Clip]) -> str:
    inputs = [*workspace.targets.glob("*.safetensors"), workspace.model("adapted_teacher"), workspace.model("codec")]
    inputs += [path for path in (params.student.face_features, params.student.lpips) if path is not None]
    inputs += [path for clip in clips for path in (workspace.latents(clip.clip), workspace.poses(clip.clip))]
    sections = [params.student, params.teacher, params.attention, params.targets]
    values = {
        "params": [each.model_dump(mode="json") for each in sections],
        "seed": params.seed,
        "wan": dumped(params.wan),
    }
    return run_digest(STAGE, values, inputs)


def _sampling(params: Params) -> SamplingConfig:
    """Of windows of the targets' length, each drawn at once."""
    config = student_sampling(params.student, params.teacher, params.attention, params.targets.frames)
    return replace(config, stream=None)


def _few(params: Params, context: Context, codec: VideoCodec) -> Few:
    sampling = replace(_sampling(params), precision=params.student.precision)
    return Few(sampling, params.student.batch, params.targets.frames, codec, context.process_group)


def _regress(
    params: Params,
    context: Context,
    family: Family,
    student: DenoisingNet,
    clips: Sequence[Clip],
    trajectories: Sequence[Trajectory],
    judges: Judges,
    checkpoint: Checkpoint,
) -> Trained[DenoisingNet] | None:
    """The initialisation: from states on the teacher's paths to its results."""
    section, settings = params.student, Optimisation(**params.student.regress.model_dump())
    if section.regression == 0:
        return None
    regression = Regression(_few(params, context, judges.codec), trajectories, section.regression)
    with context.progress("distil student: regression", settings.steps) as bar:
        return train(student, regression.loss, settings, params.seed, bar, checkpoint, context.process_group)


def _match(
    params: Params,
    context: Context,
    family: Family,
    student: DenoisingNet,
    clips: Sequence[Clip],
    trajectories: Sequence[Trajectory],
    judges: Judges,
    checkpoint: Checkpoint,
) -> Trained[DenoisingNet] | None:
    """Distribution matching with a critic, and the region loss, on the student's own samples of real windows."""
    section, settings = params.student, Optimisation(**params.student.match.model_dump())
    if section.dmd == section.region == 0:
        return None
    device = judges.codec.sensitivity.device
    teacher = family.load(context.workspace, "adapted_teacher", device, guided=True)
    critic = family.critic(context.workspace, teacher, device)
    student = student.thaw()
    matching = Matching(
        few=_few(params, context, judges.codec),
        clips=clips,
        teacher=teacher,
        critic=critic,
        student=student,
        judges=judges,
        dmd=section.dmd,
        region=section.region,
        regions={REGION_NAMES.index(name): weight for name, weight in section.regions.model_dump().items()},
        region_frames=section.region_frames,
    )
    learners = {"student": Learner(student, matching.student_loss, settings)}
    if section.dmd > 0:  # the critic first: untrained it would say what the teacher says
        slow = replace(settings, lr=section.critic_lr)
        learners = {"critic": Learner(critic, matching.critic_loss, slow, section.critic_updates), **learners}
    with context.progress("distil student: matching", settings.steps) as bar:
        return train_together(learners, params.seed + 1, bar, checkpoint, context.process_group)["student"]


@dataclass(frozen=True)
class _Tested:
    """A window of a held-out clip. student: by number of steps. teacher: adapted, at its own steps, on a few."""

    window: Window
    seen: bool
    reference: np.ndarray
    truth: np.ndarray
    student: dict[int, Drawn]
    teacher: Drawn | None

    def student_psnr(self, steps: int) -> float:
        return float(psnr(self.student[steps].frames, self.truth).mean())

    def teacher_psnr(self) -> float:
        assert self.teacher is not None
        return float(psnr(self.teacher.frames, self.truth).mean())


def _test(
    params: Params, context: Context, family: Family, curated: Curated, student: DenoisingNet, codec: VideoCodec
) -> list[_Tested]:
    """The middle window of every held-out clip, from its first frame; people seen in training come first."""
    workspace, frames = context.workspace, params.targets.frames
    seen_people = curated.seen_speakers()
    held_out = family.clips(workspace, curated, "test", CellWeights(**params.teacher.weights.model_dump()))
    clips = sorted(held_out, key=lambda clip: clip.speaker not in seen_people)
    teacher = family.load(workspace, "adapted_teacher", codec.sensitivity.device, guided=True)

    def sampler(model: DenoisingNet, steps: int) -> Sampler:
        return Sampler(model, codec, replace(_sampling(params), steps=steps))

    tested = []
    with context.progress("test student", len(clips)) as bar:
        for index, clip in enumerate(clips):
            window = middle_window(clip, frames)
            by_steps = {
                steps: draw(sampler(student, steps), window, params.seed, index)
                for steps in sorted({*_STEPS, params.student.steps})
            }
            slow = sampler(teacher, params.teacher.steps)
            beside = draw(slow, window, params.seed, index) if index < _COMPARED else None
            real = read_frames(workspace.video(clip.clip))
            seen = clip.speaker in seen_people
            tested.append(_Tested(window, seen, real[0], real[window.frames], by_steps, beside))
            bar.update(1)
    return tested


def _report(
    params: Params,
    folder: Path,
    losses: Mapping[str, Sequence[float]],
    tested: Sequence[_Tested],
    judges: Judges,
    patch: int,
) -> StageReport:
    section = params.student
    plans = [plan_windows([each.window], patch, _sampling(params).attention) for each in tested]
    figures: dict[str, Figure] = {f"loss_{name}": float(np.mean(each[-50:])) for name, each in losses.items()}
    figures |= {f"features_{where.replace(' ', '_')}": name for where, name in judges.names.items()}
    for steps in sorted({*_STEPS, section.steps}):
        for name, seen in (("seen", True), ("unseen", False)):
            scores = [each.student_psnr(steps) for each in tested if each.seen is seen]
            figures[f"psnr_{name}_{steps}_steps"] = float(np.mean(scores)) if scores else None
    pictures = {
        f"training loss: {name}": save_loss_curve(folder / name, each, f"student: {name}")
        for name, each in losses.items()
    }
    compared = [each for each in tested if each.teacher is not None]
    if not compared:
        return StageReport(STAGE, "student distilled; no held-out clip to test it on", figures, {}, pictures)

    ours = float(np.mean([each.student_psnr(section.steps) for each in compared]))
    theirs = float(np.mean([each.teacher_psnr() for each in compared]))
    figures |= {
        "compared_clips": len(compared),
        "compared_psnr_student": ours,
        "compared_psnr_teacher": theirs,
        "attended_share": float(np.mean([kept_share(plan) for plan in plans])),
    }
    fps = float(np.median([each.student[section.steps].fps for each in compared]))
    slow = float(np.median([each.teacher.fps for each in compared if each.teacher is not None]))
    timings = {"student_fps": fps, "teacher_fps": slow, "ratio": fps / slow}
    pictures |= _pictures(params, folder, compared, plans[0], patch)
    summary = (
        f"student at {section.steps} steps: {ours:.2f} dB on {len(compared)} held-out clips, adapted teacher at "
        f"{params.teacher.steps} steps {theirs:.2f}; it attends to {figures['attended_share']:.1%} of the pairs"
    )
    return StageReport(STAGE, summary, figures, timings, pictures)


def _pictures(
    params: Params, folder: Path, compared: Sequence[_Tested], plan: AttentionPlan | None, patch: int
) -> dict[str, Path]:
    """Of the compared clips side by side, and of the attention in the first of them."""
    columns = [
        np.stack([each.reference for each in compared]),
        np.stack([each.truth[0] for each in compared]),
        np.stack([each.teacher.frames[0] for each in compared if each.teacher is not None]),
        np.stack([each.student[params.student.steps].frames[0] for each in compared]),
    ]
    first = compared[0]
    grid = token_grid(first.window.clip, patch)
    pictures = {"held-out frames: reference, real, teacher, student": save_sheet(folder / "held_out.png", columns)}
    if plan is not None:
        frames = first.truth[middle_frames(len(first.truth), first.window.clip.stride)]
        save_png(folder / "attention.png", attention_sheet(frames, plan, len(frames) - 1, grid))
        pictures["regions, and what a token of a hand and one of the face see"] = folder / "attention.png"
    return pictures
