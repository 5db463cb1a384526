"""Measure what the layers of student and codec take in, so that they can multiply whole numbers of 8 bits."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cospeech.artifacts import Curated
from cospeech.config import Params, dumped
from cospeech.datasets.loss_weights import CellWeights
from cospeech.datasets.windows import Window, middle_window
from cospeech.families.factory import pick_family
from cospeech.harness.context import Context
from cospeech.harness.files import write_json
from cospeech.harness.stage_report import Figure, StageReport
from cospeech.harness.workspace import Workspace
from cospeech.media import read_frames
from cospeech.metrics.image import psnr
from cospeech.plots.contact_sheet import save_sheet
from cospeech.sampling.generation import Drawn, Sampler, draw
from cospeech.sampling.quantization import Measuring, pick_arithmetic
from cospeech.sampling.sections import student_sampling
from cospeech.utils.device import pick_device

STAGE = "quantise"
_COMPARED = 4
"""Held-out clips that are drawn in both arithmetics."""


def run(params: Params, context: Context) -> StageReport:
    """Writes models/ranges.json; it is empty where nothing is to be drawn in whole numbers."""
    workspace = context.workspace
    if params.quantise.windows == 0 or params.wan is not None or params.attention.streamed is None:
        write_json(workspace.ranges, {})
        why = "quantise.windows is 0" if params.quantise.windows == 0 else "only embedded students that stream are"
        report = StageReport(STAGE, f"nothing is drawn in 8 bits: {why}", {"layers": 0})
    else:
        report = _quantise(params, context)
    report.save(workspace.stage_report(STAGE))
    return report


def _quantise(params: Params, context: Context) -> StageReport:
    workspace = context.workspace
    sampler = _sampler(params, workspace)
    training, held_out = _windows(params, workspace)
    measuring = Measuring()
    measured = sampler.drawing_in(measuring)
    with context.progress("measure ranges", len(training)) as bar:
        for index, window in enumerate(training):
            draw(measured, window, params.seed, index)
            bar.update(1)
    write_json(workspace.ranges, measuring.ranges)

    exact, rounded = (
        sampler.drawing_in(pick_arithmetic(sampler.device, params.teacher.precision, ranges))
        for ranges in ({}, measuring.ranges)
    )
    figures: dict[str, Figure] = {"layers": len(measuring.ranges), "windows": len(training)}
    if rounded.title != "int8":
        return StageReport(STAGE, f"{len(measuring.ranges)} layers measured; drawn in {exact.title} here", figures)
    return _compare(params, context, {"float": exact, "int8": rounded}, held_out, figures)


def _sampler(params: Params, workspace: Workspace) -> Sampler:
    device = pick_device(params.compute.device)
    family = pick_family(dumped(params.wan), params.teacher.precision, params.seed)
    config = student_sampling(params.student, params.teacher, params.attention, params.teacher.window)
    return Sampler(family.load(workspace, "student", device), family.codec(workspace, device), config)


def _windows(params: Params, workspace: Workspace) -> tuple[list[Window], list[Window]]:
    """Middles of training clips, spread over them, and of the first held-out clips."""
    curated, family = Curated.load(workspace.curated), pick_family(dumped(params.wan))
    train, test = (family.clips(workspace, curated, split, CellWeights(0, 0, 0)) for split in ("train", "test"))
    chosen = np.linspace(0, len(train), min(params.quantise.windows, len(train)), endpoint=False).astype(int)
    frames = params.quantise.frames
    return (
        [middle_window(train[index], frames) for index in chosen],
        [middle_window(clip, frames) for clip in test[:_COMPARED]],
    )


def _compare(
    params: Params,
    context: Context,
    samplers: Mapping[str, Sampler],
    windows: Sequence[Window],
    figures: dict[str, Figure],
) -> StageReport:
    """Both on held-out clips, by turns; the first once before, to warm up."""
    workspace = context.workspace
    drawn: dict[str, list[Drawn]] = {name: [] for name in samplers}
    with context.progress("compare", len(windows)) as bar:
        for index, window in enumerate([*windows[:1], *windows]):
            for name, sampler in samplers.items():
                drawn[name].append(draw(sampler, window, params.seed, max(index - 1, 0)))
            bar.update(index > 0)
    takes = {name: each[1:] for name, each in drawn.items()}
    if not windows:
        return StageReport(STAGE, f"{figures['layers']} layers measured; no held-out clip to compare on", figures)
    truth = [read_frames(workspace.video(window.clip.clip))[window.frames] for window in windows]
    scores = {
        name: float(np.mean([psnr(take.frames, real).mean() for take, real in zip(each, truth, strict=True)]))
        for name, each in takes.items()
    }
    apart = float(np.mean([psnr(a.frames, b.frames).mean() for a, b in zip(*takes.values(), strict=True)]))
    figures |= {f"psnr_{name}": score for name, score in scores.items()} | {"psnr_between": apart}
    timings = {f"fps_{name}": float(np.median([take.fps for take in each])) for name, each in takes.items()}
    summary = (
        f"{figures['layers']} layers in 8 bits: {scores['int8']:.2f} dB on {len(windows)} held-out clips, "
        f"{scores['float']:.2f} in floating point, {apart:.1f} dB apart"
    )
    picture = _sheet(workspace.stage_report(STAGE) / "held_out.png", takes, truth)
    return StageReport(
        STAGE, summary, figures, timings, {"held-out frames: real, in floating point, in 8 bits": picture}
    )


def _sheet(path: Path, takes: Mapping[str, Sequence[Drawn]], truth: Sequence[np.ndarray]) -> Path:
    columns = [truth, *([take.frames for take in each] for each in takes.values())]
    return save_sheet(path, [np.stack([frames[len(frames) // 2] for frames in column]) for column in columns])
