"""Gather what the report shows from the files of a run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cospeech.artifacts import Curated
from cospeech.curation.verdict import count_reasons
from cospeech.harness.files import file_digest, read_json, value_digest
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.utils.json_types import JSONValue

STAGE_ORDER = (
    "ingest", "extract_poses", "extract_audio", "curate", "train_codec", "encode_latents", "train_deformer",
    "train_teacher", "adapt_teacher", "teacher_targets", "distill_student", "quantise", "train_motion", "train_sync",
    "evaluate",
)  # fmt: skip
_MODELS = ("codec", "deformer", "teacher", "student", "motion", "sync")


@dataclass(frozen=True)
class Refused:
    """A refused clip."""

    clip: str
    uri: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class ClipVideos:
    """Videos of one clip. comparison: the evaluated segment, all columns in one file. real, student: the whole clip."""

    comparison: Path
    real: Path
    student: Path


@dataclass(frozen=True)
class Strips:
    """Pictures of a clip's mouth and hands over time; None where the pose has none."""

    mouths: Path | None
    hands: Path | None


@dataclass(frozen=True)
class ReportData:
    """All that the page shows.

    metrics: of reports/metrics.json. strips: by clip. rows: one dict per clip and model. offsets: of segments of the
    held-out footage, frames. shifts: model -> mean distance of lips and speech by shift. ablation: rows of
    reports/ablation.json. refused: clips and why. reasons: how many clips each kind refused. params: as written. data:
    short facts.
    """

    metrics: Mapping[str, JSONValue]
    strips: Mapping[str, Strips]
    rows: Sequence[Mapping[str, JSONValue]]
    offsets: Sequence[int]
    shifts: Mapping[str, Sequence[float]]
    ablation: Sequence[Mapping[str, JSONValue]]
    videos: Mapping[str, ClipVideos]
    stages: Sequence[StageReport]
    refused: Sequence[Refused]
    reasons: Mapping[str, int]
    params: str
    data: Mapping[str, str]


def gather(
    workspace: Workspace, metrics: Mapping[str, JSONValue], rows: Sequence[Mapping[str, JSONValue]]
) -> ReportData:
    """Read the reports of earlier stages and reports/plots; stages without a report are left out."""
    curated, params = Curated.load(workspace.curated), workspace.root / "params.yaml"
    folders = [workspace.stage_report(stage) for stage in STAGE_ORDER]
    refused = [
        Refused(row["clip"], row["uri"], tuple(json.loads(row["reasons"])))
        for row in curated.table.to_dict("records")
        if not row["kept"]
    ]
    shifts = pd.read_csv(workspace.plots / "sync.csv").drop(columns="shift")
    return ReportData(
        metrics=metrics,
        strips={each["clip"]: _strips(workspace, each["clip"]) for each in metrics["protocol"]["clips"]},
        rows=rows,
        offsets=pd.read_csv(workspace.plots / "offsets.csv")["offset"].tolist(),
        shifts={str(name): shifts[name].tolist() for name in shifts},
        ablation=read_json(workspace.ablation) if workspace.ablation.is_file() else [],
        videos=_videos(workspace),
        stages=[StageReport.load(folder) for folder in folders if (folder / "report.json").is_file()],
        refused=refused,
        reasons=dict(count_reasons(reason for each in refused for reason in each.reasons)),
        params=params.read_text(encoding="utf-8") if params.is_file() else "",
        data=_facts(workspace, curated, len(refused), params),
    )


def _strips(workspace: Workspace, clip: str) -> Strips:
    paths = [workspace.stage_report(STAGE_ORDER[-1]) / name / f"{clip}.png" for name in ("mouths", "hands")]
    return Strips(*(path if path.is_file() else None for path in paths))


def _videos(workspace: Workspace) -> dict[str, ClipVideos]:
    made = "_student"
    return {
        path.stem: ClipVideos(path, workspace.video(path.stem), path.with_stem(path.stem + made))
        for path in sorted(workspace.samples.glob("*.mp4"))
        if not path.stem.endswith(made)
    }


def _facts(workspace: Workspace, curated: Curated, refused: int, params: Path) -> dict[str, str]:
    train, test = len(curated.clips("train")), len(curated.clips("test"))
    facts = {
        "clips": f"{len(curated.table)}: {train} for training, {test} held out, {refused} refused",
        "people in training": str(len(curated.seen_speakers())),
        "data version": f"data/curated.parquet, SHA-256 {file_digest(workspace.curated)[:16]}; "
        f"sources {value_digest(sorted(curated.table['sha256'].dropna()))[:16]}",
    }
    if params.is_file():
        facts["params"] = f"params.yaml, SHA-256 {file_digest(params)[:16]}"
    for name in _MODELS:
        files = sorted(workspace.model(name).rglob("*.safetensors"))
        if files:
            facts[f"model {name}"] = f"SHA-256 {value_digest([file_digest(path) for path in files])[:16]}"
    return facts
