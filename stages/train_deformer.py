"""Train what deforms references: how torso and sleeves move with a pose, beyond moving least squares and bones."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from cospeech.artifacts import Curated
from cospeech.config import Params
from cospeech.datasets.pose_pairs import PosedFrames, draw_pairs, load_posed, pair_up
from cospeech.harness.context import Context
from cospeech.harness.files import atomic_path
from cospeech.harness.stage_report import Figure, StageReport
from cospeech.harness.workspace import Workspace
from cospeech.metrics.image import psnr
from cospeech.models.common.pretrained import require_config
from cospeech.models.warping.deformer import Deformer
from cospeech.plots.contact_sheet import save_sheet
from cospeech.plots.loss_curve import save_loss_curve
from cospeech.training.checkpoint import Checkpoint, run_digest
from cospeech.training.trainer import Optimisation, Trained, seeded, train
from cospeech.utils.device import pick_device
from cospeech.utils.images import to_images

STAGE = "train_deformer"
_TESTED, _SHOWN = 16, 4
"""Frames of each held-out clip that are tested; clips that are shown."""


def run(params: Params, context: Context) -> StageReport:
    """Writes models/deformer; with `wan`, which deforms no reference, one that changes nothing.

    Raises:
        ValueError: no clip is kept for training, or the pretrained deformer is of another shape.
    """
    workspace = context.workspace
    curated = Curated.load(workspace.curated)
    if params.wan is not None:
        return _nothing_to_learn(workspace, params)
    clips = _load(workspace, curated.clips("train"), params)
    if not clips:
        raise ValueError(f"{workspace.curated}: no clip is kept for training; see its reasons (cospeech ledger)")
    checkpoint = Checkpoint(workspace.scratch / run_digest(STAGE, _settings(params), _inputs(workspace, params)))
    trained = _fit(params, clips, context, checkpoint)
    deformer = trained.average.cpu()
    _save(workspace, deformer)
    checkpoint.remove()
    folder = workspace.stage_report(STAGE)
    pictures = {"training loss": save_loss_curve(folder, trained.losses, "deformer")}
    figures, sheet = _test(deformer, _load(workspace, curated.clips("test"), params, _TESTED), folder)
    summary = "no held-out clips"
    if sheet is not None:
        pictures["held-out frames: reference, deformed without and with what was learned, real"] = sheet
        summary = f"{figures['psnr']:.2f} dB on held-out clips, {figures['psnr_without']:.2f} without it"
    figures["loss"] = float(np.mean(trained.losses[-50:]))
    report = StageReport(STAGE, f"deformed references: {summary}", figures, pictures=pictures)
    report.save(folder)
    return report


def _nothing_to_learn(workspace: Workspace, params: Params) -> StageReport:
    _save(workspace, _new(params))
    report = StageReport(STAGE, "Wan deforms no reference: nothing to learn", {})
    report.save(workspace.stage_report(STAGE))
    return report


def _save(workspace: Workspace, deformer: Deformer) -> None:
    with atomic_path(workspace.model("deformer")) as folder:
        deformer.save_pretrained(folder)


def _settings(params: Params) -> dict[str, object]:
    return {"seed": params.seed, **params.deformer.model_dump(mode="json")}


def _inputs(workspace: Workspace, params: Params) -> list[Path]:
    clips, pretrained = Curated.load(workspace.curated).clips("train"), params.deformer.pretrained
    own = [path for clip in clips for path in (workspace.video(clip), workspace.poses(clip))]
    return own if pretrained is None else [*own, pretrained]


def _load(workspace: Workspace, clips: Sequence[str], params: Params, count: int | None = None) -> list[PosedFrames]:
    """`count` frames of each; None: as many as memory was given for, but two."""
    count = count or max(2, params.deformer.frames // max(len(clips), 1))
    return [load_posed(workspace, clip, count, params.deformer.size) for clip in clips]


def _new(params: Params) -> Deformer:
    with seeded(params.seed):
        return Deformer(width=params.deformer.width)


def _start(params: Params) -> Deformer:
    made, folder = _new(params), params.deformer.pretrained
    if folder is None:
        return made
    pretrained = Deformer.from_pretrained(folder)
    require_config("deformer", folder, pretrained.config, made.config)
    return pretrained


def _fit(params: Params, clips: Sequence[PosedFrames], context: Context, checkpoint: Checkpoint) -> Trained[Deformer]:
    section, device = params.deformer, pick_device(params.compute.device)
    how = section.references, section.poses

    def loss(model: Deformer, step: int, generator: torch.Generator) -> torch.Tensor:
        return draw_pairs(clips, *how, generator, model.geometry, device).error(model)

    settings = Optimisation(**section.optimisation.model_dump())
    with context.progress("train deformer", settings.steps) as bar:
        return train(_start(params).to(device), loss, settings, params.seed, bar, checkpoint)


@torch.no_grad()
def _test(deformer: Deformer, clips: Sequence[PosedFrames], folder: Path) -> tuple[dict[str, Figure], Path | None]:
    """PSNR over held-out clips, each drawn from its first frame; null where there are none."""
    scores: dict[str, list[float]] = {"psnr": [], "psnr_without": []}
    shown: list[tuple[np.ndarray, ...]] = []
    for clip in clips:
        pairs = pair_up([clip], [0], [torch.arange(1, len(clip))], deformer.geometry, torch.device("cpu"))
        real = to_images(pairs.real_B3SS)
        made = {name: to_images(pairs.deformed(net)) for name, net in (("psnr_without", None), ("psnr", deformer))}
        for name, pictures in made.items():
            scores[name].append(float(psnr(pictures, real).mean()))
        middle = len(real) // 2
        shown.append((clip.frames[0], *(each[middle] for each in made.values()), real[middle]))
    figures: dict[str, Figure] = {name: float(np.mean(each)) if each else None for name, each in scores.items()}
    figures["test_clips"] = len(clips)
    if not shown:
        return figures, None
    return figures, save_sheet(folder / "held_out.png", [np.stack(each) for each in zip(*shown[:_SHOWN], strict=True)])
