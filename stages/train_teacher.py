"""Train the teacher: a dense many-step denoiser, from nothing or from a pretrained one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from cospeech.artifacts import Curated
from cospeech.config import Params, dumped
from cospeech.datasets.loss_weights import CellWeights
from cospeech.datasets.windows import Clip, ClipTensors, Window, collate, draw_windows, middle_window
from cospeech.families.base import Family
from cospeech.families.factory import pick_family
from cospeech.harness.context import Context
from cospeech.harness.files import atomic_path
from cospeech.harness.stage_report import Figure, StageReport
from cospeech.media import read_frames
from cospeech.metrics.image import psnr
from cospeech.models.common.pretrained import require_config
from cospeech.models.common.protocols import DenoisingNet, VideoCodec
from cospeech.models.transformers.denoiser import Denoiser
from cospeech.plots.contact_sheet import save_sheet
from cospeech.plots.loss_curve import save_loss_curve
from cospeech.sampling.euler import first_noise, sample
from cospeech.sampling.sections import teacher_sampling
from cospeech.training.checkpoint import Checkpoint, run_digest
from cospeech.training.losses import channel_weights, denoising_loss
from cospeech.training.trainer import Optimisation, Trained, seeded, train
from cospeech.utils.device import pick_device
from cospeech.utils.images import to_images
from cospeech.utils.precision import autocast

_TESTED = 4
"""Most held-out clips of people seen in training, and of others, that are drawn; each takes all of the steps."""


def run(params: Params, context: Context) -> StageReport:
    """Writes models/teacher."""
    workspace, section = context.workspace, params.teacher
    device = pick_device(params.compute.device)
    curated = Curated.load(workspace.curated)
    weights = CellWeights(**section.weights.model_dump())
    family = pick_family(dumped(params.wan), params.teacher.precision, params.seed)
    clips = family.clips(workspace, curated, "train", weights)
    codec = family.codec(workspace, device)
    inputs = [workspace.curated, workspace.model("codec"), *(workspace.latents(clip.clip) for clip in clips)]
    if section.pretrained is not None:
        inputs.append(section.pretrained)
    values = {**section.model_dump(mode="json"), "seed": params.seed, "wan": dumped(params.wan)}
    checkpoint = Checkpoint(workspace.scratch / run_digest("train_teacher", values, inputs))
    trained = _train(params, context, family, clips, codec, checkpoint)
    if not context.process_group.is_main:
        return StageReport("train_teacher", "the first process saves and tests the teacher", {})
    with atomic_path(workspace.model("teacher")) as folder:
        trained.average.save_pretrained(folder)
    checkpoint.remove()
    folder = workspace.stage_report("train_teacher")
    pictures = {"training loss": save_loss_curve(folder, trained.losses, "teacher")} if trained.losses else {}
    figures, sheet = _test(params, context, curated, family, trained.average, codec, folder)
    if sheet is not None:
        pictures["held-out frames: reference, real, generated"] = sheet
    figures |= {
        "train_clips": len(clips),
        "parameters": sum(weight.numel() for weight in trained.average.parameters()),
        "loss": float(np.mean(trained.losses[-50:])) if trained.losses else None,
    }
    report = StageReport("train_teacher", _summary(figures, section.steps), figures, pictures=pictures)
    report.save(folder)
    return report


def _summary(figures: dict[str, Figure], steps: int) -> str:
    if figures["psnr_seen"] is None:
        return f"teacher of {figures['parameters']:,} parameters; no held-out clip of a person seen in training"
    return (
        f"teacher at {steps} steps: {figures['psnr_seen']:.2f} dB on held-out clips of people seen in training, "
        f"where copying the reference gives {figures['copy_seen']:.2f}"
    )


def _new_teacher(params: Params, codec: VideoCodec, pose_channels: int) -> Denoiser:
    section = params.teacher
    shape = {
        "latent_channels": len(codec.sensitivity),
        "pose_channels": pose_channels,
        "width": section.width,
        "layers": section.layers,
        "heads": section.heads,
        "ffn_ratio": section.ffn_ratio,
        "conv_width": section.conv_width,
        "patch": section.patch,
        "max_frames": section.max_frames,
        "reference_warp": section.reference_warp,
    }
    if section.pretrained is None:
        with seeded(params.seed):
            return Denoiser(**shape)
    teacher = Denoiser.from_pretrained(section.pretrained)
    require_config("teacher", section.pretrained, teacher.config, shape)
    return teacher


def _train(
    params: Params,
    context: Context,
    family: Family,
    clips: Sequence[Clip],
    codec: VideoCodec,
    checkpoint: Checkpoint,
) -> Trained[DenoisingNet]:
    section, device = params.teacher, codec.sensitivity.device
    if not clips:
        raise ValueError(
            f"{context.workspace.curated}: no clip is kept for training; see its reasons (cospeech ledger)"
        )
    teacher: DenoisingNet | None = family.pretrained(device)
    if teacher is None:
        assert isinstance(clips[0], ClipTensors)  # of the embedded family
        teacher = _new_teacher(params, codec, clips[0].pose_TPhw.shape[1]).to(device)
    if not any(weight.requires_grad for weight in teacher.parameters()):
        return Trained(teacher.eval(), [])  # it is taken as it is
    settings = Optimisation(**section.optimisation.model_dump())
    channel_C = channel_weights(codec.sensitivity)
    first_window = round(settings.steps * (1 - section.window_share))

    def loss(model: DenoisingNet, step: int, generator: torch.Generator) -> torch.Tensor:
        # single frames teach looks at a quarter of the cost; windows then teach frames to agree
        count, frames = (section.batch, 1) if step < first_window else (section.window_batch, section.window)
        with autocast(device, section.precision, context.process_group.accelerator):
            batch = draw_windows(clips, count, frames, generator, context.process_group).to(device)
            return denoising_loss(
                model, batch.latents_BCThw, batch.condition, channel_C, batch.weights_BThw, section.shift, generator,
                process_group=context.process_group,
            )  # fmt: skip

    with context.progress("train teacher", settings.steps) as bar:
        return train(teacher, loss, settings, params.seed, bar, checkpoint, context.process_group)


@torch.no_grad()
def _test(
    params: Params,
    context: Context,
    curated: Curated,
    family: Family,
    teacher: DenoisingNet,
    codec: VideoCodec,
    folder: Path,
) -> tuple[dict[str, Figure], Path | None]:
    """PSNR of one window of a few held-out clips, drawn from the clip's first frame, against the real frames."""
    section, workspace = params.teacher, context.workspace
    held_out = family.clips(workspace, curated, "test", CellWeights(**section.weights.model_dump()))
    seen_people = curated.seen_speakers()
    clips = [clip for clip in held_out if clip.speaker in seen_people][:_TESTED]
    clips += [clip for clip in held_out if clip.speaker not in seen_people][:_TESTED]
    scores: dict[str, list[float]] = {name: [] for name in ("psnr_seen", "copy_seen", "psnr_unseen", "copy_unseen")}
    shown: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    with context.progress("test teacher", len(clips)) as bar:
        for index, clip in enumerate(clips):
            window = middle_window(clip, section.window)
            real = read_frames(workspace.video(clip.clip))
            made = _draw(params, window, index, teacher, codec)
            who = "seen" if clip.speaker in seen_people else "unseen"
            scores[f"psnr_{who}"].append(float(psnr(made, real[window.frames]).mean()))
            scores[f"copy_{who}"].append(float(psnr(np.broadcast_to(real[:1], made.shape), real[window.frames]).mean()))
            shown.append((real[0], real[window.start], made[0]))
            bar.update(1)
    figures: dict[str, Figure] = {name: float(np.mean(each)) if each else None for name, each in scores.items()}
    if not shown:
        return figures, None
    columns = [np.stack(column) for column in zip(*shown, strict=True)]
    return figures, save_sheet(folder / "held_out.png", columns)


def _draw(params: Params, window: Window, index: int, teacher: DenoisingNet, codec: VideoCodec) -> np.ndarray:
    section, device = params.teacher, codec.sensitivity.device
    batch = collate([window])
    generator = torch.Generator().manual_seed(params.seed + index)
    noise = first_noise(batch.latents_BCThw.shape, section.temperature, generator)
    with autocast(device, section.precision):
        latents = sample(teacher, noise.to(device), batch.condition.to(device), teacher_sampling(section))
        return to_images(codec.decode_video(latents[0]))
