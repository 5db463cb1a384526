"""Fine-tune the teacher with input-aware sparse attention: what the student starts from and is compared with."""

from collections.abc import Sequence

import numpy as np
import torch

from cospeech.artifacts import Curated
from cospeech.attention.plan import MaskConfig, kept_share
from cospeech.config import Params, dumped
from cospeech.datasets.attention_plans import plan_windows
from cospeech.datasets.loss_weights import CellWeights
from cospeech.datasets.windows import Clip, collate, draw_windows, middle_window
from cospeech.families.base import Family
from cospeech.families.factory import pick_family
from cospeech.harness.context import Context
from cospeech.harness.files import atomic_path
from cospeech.harness.stage_report import Figure, StageReport
from cospeech.models.common.protocols import DenoisingNet, VideoCodec
from cospeech.plots.loss_curve import save_loss_curve
from cospeech.training.checkpoint import Checkpoint, run_digest
from cospeech.training.losses import channel_weights, denoising_loss
from cospeech.training.trainer import Optimisation, Trained, train
from cospeech.utils.device import pick_device
from cospeech.utils.precision import autocast
from cospeech.utils.random import step_generator

STAGE = "adapt_teacher"
_NOISINGS = 2
"""Times, spread over their distribution, at which the error on a held-out window is measured."""


def run(params: Params, context: Context) -> StageReport:
    """Writes models/adapted_teacher."""
    workspace, section = context.workspace, params.adapt
    device = pick_device(params.compute.device)
    curated = Curated.load(workspace.curated)
    weights = CellWeights(**params.teacher.weights.model_dump())
    family = pick_family(dumped(params.wan), params.teacher.precision, params.seed)
    clips = family.clips(workspace, curated, "train", weights)
    codec = family.codec(workspace, device)

    inputs = [workspace.model("teacher"), workspace.model("codec")]
    inputs += [path for clip in clips for path in (workspace.latents(clip.clip), workspace.poses(clip.clip))]
    sections = [each.model_dump(mode="json") for each in (section, params.teacher, params.attention)]
    values = {"params": sections, "seed": params.seed, "wan": dumped(params.wan)}
    checkpoint = Checkpoint(workspace.scratch / run_digest(STAGE, values, inputs))
    trained = _train(params, context, family, clips, codec, checkpoint)
    if not context.process_group.is_main:
        return StageReport(STAGE, "the first process saves and tests the adapted teacher", {})
    with atomic_path(workspace.model("adapted_teacher")) as folder:
        trained.average.save_pretrained(folder)
    checkpoint.remove()

    held_out = family.clips(workspace, curated, "test", weights)
    figures = _test(params, context, family, held_out, trained.average, codec)
    loss = float(np.mean(trained.losses[-50:])) if trained.losses else None
    figures |= {"train_clips": len(clips), "loss": loss}
    folder = workspace.stage_report(STAGE)
    pictures = {"training loss": save_loss_curve(folder, trained.losses, "adapted teacher")} if trained.losses else {}
    report = StageReport(STAGE, _summary(params, figures), figures, {}, pictures)
    report.save(folder)
    return report


def _train(
    params: Params,
    context: Context,
    family: Family,
    clips: Sequence[Clip],
    codec: VideoCodec,
    checkpoint: Checkpoint,
) -> Trained[DenoisingNet]:
    section, mask, device = params.adapt, _mask(params), codec.sensitivity.device
    teacher = family.learner(context.workspace, "teacher", device)
    if not any(weight.requires_grad for weight in teacher.parameters()):
        return Trained(teacher.eval(), [])  # it is taken as it is
    settings = Optimisation(**section.optimisation.model_dump())
    channel_C = channel_weights(codec.sensitivity)

    def loss(model: DenoisingNet, step: int, generator: torch.Generator) -> torch.Tensor:
        with autocast(device, params.teacher.precision, context.process_group.accelerator):
            batch = draw_windows(clips, section.batch, section.frames, generator, context.process_group).to(device)
            plan = plan_windows(batch.windows, model.patch, mask, device)
            return denoising_loss(
                model, batch.latents_BCThw, batch.condition, channel_C, batch.weights_BThw, params.teacher.shift,
                generator, plan, context.process_group,
            )  # fmt: skip

    with context.progress("adapt teacher", settings.steps) as bar:
        return train(teacher, loss, settings, params.seed, bar, checkpoint, context.process_group)


def _mask(params: Params) -> MaskConfig:
    return MaskConfig(params.attention.mask, params.attention.past_frames)


@torch.no_grad()
def _test(
    params: Params,
    context: Context,
    family: Family,
    clips: Sequence[Clip],
    adapted: DenoisingNet,
    codec: VideoCodec,
) -> dict[str, Figure]:
    """The loss on the middle window of held-out clips: of the teacher dense, under the mask, and adapted to it."""
    device, channel_C = codec.sensitivity.device, channel_weights(codec.sensitivity)
    teacher = family.load(context.workspace, "teacher", device)
    losses: dict[str, list[float]] = {"loss_dense": [], "loss_masked": [], "loss_adapted": []}
    shares = []
    with context.progress("test adapted teacher", len(clips)) as bar:
        for index, clip in enumerate(clips):
            batch = collate([middle_window(clip, params.adapt.frames)] * _NOISINGS).to(device)
            plan = plan_windows(batch.windows, adapted.patch, _mask(params), device)
            shares.append(kept_share(plan))
            for name, model, attention in (
                ("loss_dense", teacher, None), ("loss_masked", teacher, plan), ("loss_adapted", adapted, plan),
            ):  # fmt: skip
                with autocast(device, params.teacher.precision):
                    value = denoising_loss(
                        model, batch.latents_BCThw, batch.condition, channel_C, batch.weights_BThw,
                        params.teacher.shift, step_generator(params.seed, index), attention,
                    )  # fmt: skip
                losses[name].append(value.item())
            bar.update(1)
    figures: dict[str, Figure] = {name: float(np.mean(each)) if each else None for name, each in losses.items()}
    return {**figures, "attended_share": float(np.mean(shares)) if shares else None}


def _summary(params: Params, figures: dict[str, Figure]) -> str:
    mask = " and ".join(params.attention.mask) or "no"
    if figures["loss_adapted"] is None:
        return f"teacher adapted to the {mask} mask; no held-out clip to test it on"
    return (
        f"teacher adapted to the {mask} mask ({figures['attended_share']:.1%} of the pairs): held-out loss "
        f"{figures['loss_adapted']:.4f}, {figures['loss_masked']:.4f} before, {figures['loss_dense']:.4f} dense"
    )
