"""Measure the model in production as the candidate was measured, on the same held-out clips."""

import shutil
from pathlib import Path

from cospeech.artifacts import Curated
from cospeech.config import Params, dumped
from cospeech.families.factory import pick_family
from cospeech.harness.context import Context
from cospeech.harness.workspace import Workspace
from cospeech.inference.bundle import Settings, read_settings
from cospeech.registry.gate import Rows, read_rows
from cospeech.sampling.sections import with_sampling
from stages import encode_latents, evaluate

SHARED = (
    "data/clips", "data/poses", "data/audio", "data/clips.parquet", "data/words.parquet", "models/sync",
    "models/measures",
)  # fmt: skip
MODEL = "student"


def candidate_rows(workspace: Workspace) -> Rows:
    return read_rows(workspace.plots / "clips.csv", MODEL)


def production_rows(bundle: Path, params: Params, context: Context) -> Rows:
    """Evaluate the exported model in `bundle`, with its own codec and settings, on the candidate's clips.

    The figures of its promotion do not compare: clips, detector and lip-sync expert may have changed since.

    Raises:
        ValueError: the model is for clips of another size or rate, or of another version.
    """
    own = context.workspace
    settings, media = read_settings(bundle / "sampling.json"), params.media
    if (settings.size, settings.fps) != (media.size, media.fps):
        raise ValueError(
            f"the model in production draws {settings.size} px at {settings.fps} a second, these clips have "
            f"{media.size} px at {media.fps}: they cannot be compared; promote by hand (cospeech promote)"
        )
    scratch = Workspace(own.scratch / "production")
    shutil.rmtree(scratch.root, ignore_errors=True)
    try:
        _furnish(scratch, own, bundle, params)
        adapted = _as_exported(params, settings)
        shadow = Context(scratch, context.executor, context.progress)
        curated = Curated.load(own.curated)
        chosen = evaluate.choose_clips(curated, params.evaluate.clips)
        Curated(curated.table[curated.table["clip"].isin(chosen)]).save(scratch.curated)
        encode_latents.run(adapted, shadow)
        curated.save(scratch.curated)
        evaluate.run(adapted, shadow)
        return candidate_rows(scratch)
    finally:
        shutil.rmtree(scratch.root, ignore_errors=True)


def _furnish(scratch: Workspace, own: Workspace, bundle: Path, params: Params) -> None:
    """Link the candidate's footage and metric networks, and the bundle's models; an unused stand-in is the teacher."""
    family = pick_family(dumped(params.wan))
    parts = family.given(scratch)
    missing = [name for name in parts if not (bundle / name).exists()]
    if missing:
        raise ValueError(
            f"the model in production has no {', '.join(missing)}, so it is not of the family that the parameters name "
            "(section wan): they cannot be compared; promote by hand (cospeech promote)"
        )
    links = {scratch.root / name: own.root / name for name in SHARED if (own.root / name).exists()}
    parts |= {name: place for name, place in family.added(scratch).items() if (bundle / name).exists()}
    links |= {place: bundle / name for name, place in parts.items()}
    links[scratch.model("teacher")] = bundle / "student" if params.wan is None else own.model("teacher")
    for link, target in links.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target.absolute())


def _as_exported(params: Params, settings: Settings) -> Params:
    """`params` with the exported model's own sampling; nothing is drawn for show, and the teacher in as few steps."""
    adapted = with_sampling(params, settings)
    return adapted.model_copy(
        update={
            "teacher": adapted.teacher.model_copy(update={"steps": settings.steps}),
            "evaluate": adapted.evaluate.model_copy(update={"samples": 0}),
            "provenance": adapted.provenance.model_copy(update={"sign": False}),
        }
    )
