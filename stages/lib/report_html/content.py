"""What the report shows, gathered from the files of a run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.lib.artifacts import Curated
from stages.lib.curation.verdict import frequent
from stages.lib.evaluation.measure import Measured
from stages.lib.files import file_digest
from stages.lib.report import StageReport
from stages.lib.workspace import Workspace

STAGE_ORDER = (
    "ingest", "extract_poses", "extract_audio", "curate", "train_codec", "encode_latents", "train_teacher",
    "adapt_teacher", "teacher_targets", "distill_student", "train_motion", "train_sync", "evaluate",
)  # fmt: skip


@dataclass(frozen=True)
class Refused:
    clip: str
    uri: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class ReportData:
    """metrics: of reports/metrics.json. rows: a dict a clip and model. videos: clip -> files, the comparison first.
    refused: clips and why. reasons: how many clips each kind refused. params: as written. data: short facts."""

    metrics: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    videos: Mapping[str, Sequence[Path]]
    stages: Sequence[StageReport]
    refused: Sequence[Refused]
    reasons: Mapping[str, int]
    params: str
    data: Mapping[str, str]


def gather(workspace: Workspace, metrics: Mapping[str, Any], measured: Sequence[Measured]) -> ReportData:
    """Read what the stages before have left; stages without a report are left out."""
    curated, params = Curated.load(workspace.curated), workspace.root / "params.yaml"
    folders = [workspace.stage_report(stage) for stage in STAGE_ORDER]
    refused = [
        Refused(row["clip"], row["uri"], tuple(json.loads(row["reasons"])))
        for row in curated.table.to_dict("records")
        if not row["kept"]
    ]
    train, test = len(curated.clips("train")), len(curated.clips("test"))
    return ReportData(
        metrics=metrics,
        rows=[each.row for each in measured],
        videos=_videos(workspace.samples),
        stages=[StageReport.load(folder) for folder in folders if (folder / "report.json").is_file()],
        refused=refused,
        reasons=dict(frequent(reason for each in refused for reason in each.reasons)),
        params=params.read_text(encoding="utf-8") if params.is_file() else "",
        data={
            "clips": f"{len(curated.table)}: {train} for training, {test} held out, {len(refused)} refused",
            "people in training": str(len(curated.seen_speakers())),
            "version": f"data/curated.parquet, SHA-256 {file_digest(workspace.curated)[:16]}",
        },
    )


def _videos(samples: Path) -> dict[str, list[Path]]:
    plain = "_student"
    comparisons = [path for path in sorted(samples.glob("*.mp4")) if not path.stem.endswith(plain)]
    return {
        path.stem: [each for each in (path, path.with_stem(path.stem + plain)) if each.is_file()]
        for path in comparisons
    }
