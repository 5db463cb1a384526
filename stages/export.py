"""Give the student on: weights, settings, card, provenance, and the code to run it without this repository."""

import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

import cospeech
from cospeech.artifacts import Curated
from cospeech.config import Params, dumped
from cospeech.export.card import model_card, provenance, training_clips
from cospeech.export.closure import Closure, import_closure
from cospeech.families.factory import pick_family
from cospeech.harness.context import Context
from cospeech.harness.files import atomic_path, read_json, write_json
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.inference import speaker
from cospeech.pose import skeleton as sk
from cospeech.pose.track import PoseTrack
from cospeech.pose.track_file import load_track
from cospeech.provenance.bundle import sign_bundle
from cospeech.provenance.identity import load_identity
from cospeech.provenance.lineage import record_export, retirement_lines
from cospeech.sampling.sections import student_sampling

STAGE = "export"
RUNTIME = "cospeech_runtime"
_RARE = 0.02
"""Share of the training frames."""
logger = logging.getLogger("cospeech.export")
_LIBRARY = Path(cospeech.__file__).parent


def run(params: Params, context: Context) -> StageReport:
    """Writes models/export.

    Raises:
        ValueError: a model or the metrics are not there.
    """
    workspace = context.workspace
    curated, metrics = Curated.load(workspace.curated), _metrics(workspace)
    family = pick_family(dumped(params.wan))
    parts = family.given(workspace) | family.added(workspace) | {"motion": workspace.model("motion")}
    settings = _settings(params, list(_training_poses(workspace, curated)))
    name, licence = params.export.name, params.export.licence
    closure = import_closure(_LIBRARY, "inference.speaker")
    with atomic_path(workspace.model("export")) as folder:
        for part, source in parts.items():
            _copy_part(source, folder / part)
        write_json(folder / "sampling.json", asdict(settings))
        write_runtime(folder / RUNTIME, closure)
        card = model_card(name, licence, asdict(settings), metrics, curated, closure.packages)
        (folder / "README.md").write_text(card, encoding="utf-8")
        inputs = {"data/curated.parquet": workspace.curated}
        write_json(folder / "provenance.json", provenance(name, licence, folder, curated, inputs, metrics))
        if params.provenance.sign:
            identity = load_identity(workspace.signing, params.provenance.key, params.provenance.certificates)
            sign_bundle(folder, identity)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    record_export(workspace, workspace.model("export"))
    for line in retirement_lines(workspace):
        logger.warning("%s", line)
    report = StageReport(
        STAGE,
        f"{name}: {', '.join(parts)} and {len(closure.files)} modules, {size / 1e6:.1f} MB, in models/export",
        {
            "modules": len(closure.files),
            "needs": ", ".join(closure.packages),
            "training_clips": len(training_clips(curated)),
        },
    )
    report.save(workspace.stage_report(STAGE))
    return report


def _training_poses(workspace: Workspace, curated: Curated) -> Iterator[PoseTrack]:
    for clip in training_clips(curated)["clip"]:
        yield load_track(workspace.poses(clip))


def rarely_seen(poses: Iterable[PoseTrack]) -> list[int]:
    """The keypoints that are seen in fewer than `_RARE` of the frames."""
    seen, frames = np.zeros(sk.KEYPOINTS), 0
    for each in poses:
        seen += each.visible.sum(0)
        frames += len(each)
    return np.flatnonzero(seen < _RARE * max(frames, 1)).tolist()


def most_typical(poses: Sequence[PoseTrack], size: int) -> np.ndarray:
    """(133, 2), pixels of a picture of `size`: of the first poses, the nearest to the mean of all that are in sight.

    Shoulders laid on one another, in shoulder widths; the points that are `rarely_seen` do not count.
    """
    keypoints = np.concatenate([each[:1].resized((size, size)).keypoints for each in poses])
    shoulders = keypoints[:, sk.SHOULDERS]
    width = np.linalg.norm(shoulders[:, 0] - shoulders[:, 1], axis=-1)[:, None, None]
    placed = (keypoints - shoulders.mean(1, keepdims=True)) / np.maximum(width, 1e-6)
    shown = np.setdiff1d(np.arange(sk.KEYPOINTS), rarely_seen(poses))
    hands_seen = np.array([each.found[0, sk.HANDS].all() for each in poses])
    distance = np.square(placed - placed.mean(0))[:, shown].mean((1, 2))
    return keypoints[np.where(hands_seen | ~hands_seen.any(), distance, np.inf).argmin()]


def _settings(params: Params, poses: Sequence[PoseTrack]) -> speaker.Settings:
    window, overlap = params.evaluate.window, params.evaluate.overlap
    return speaker.Settings(
        **vars(student_sampling(params.student, params.teacher, params.attention, window, overlap)),
        size=params.media.size,
        fps=params.media.fps,
        motion_steps=params.motion.sampling_steps,
        sample_rate=params.media.sample_rate,
        unseen=rarely_seen(poses),
        rest=most_typical(poses, params.media.size).round(2).astype(float).tolist(),
    )


def _metrics(workspace: Workspace) -> dict:
    """Without speed: that is another on every run, and an export that says it would never be the same twice."""
    if not workspace.quality.is_file():
        raise ValueError(f"{workspace.quality}: no such file; an export says how good it is, so run evaluate first")
    return dict(read_json(workspace.quality))


def _copy_part(source: Path, target: Path) -> None:
    if source.is_file():
        shutil.copyfile(source, target)
        return
    if not (source / "config.json").is_file():
        raise ValueError(f"{source}: no model there (config.json is missing); run the stage that trains it (dvc repro)")
    target.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        if path.suffix in (".json", ".safetensors"):
            shutil.copyfile(path, target / path.name)


def write_runtime(folder: Path, closure: Closure) -> None:
    """Copy the modules, and write an `__init__` that offers what `inference.speaker` does."""
    for path in closure.files:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_LIBRARY / path, target)
    (folder / "__init__.py").write_text(
        '"""Runs the model that lies beside this package: `load(folder)`, then `start` or `animate`."""\n\n'
        "from .inference.speaker import Person, Speaker, keep_freed_memory, load\n\n"
        '__all__ = ["Person", "Speaker", "keep_freed_memory", "load"]\n',
        encoding="utf-8",
    )
