"""Keep or refuse every clip, with every reason, and split what is kept into training and test."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from cospeech.artifacts import AudioFeatures, Curated, Ledger
from cospeech.config import Params
from cospeech.curation import visual
from cospeech.curation.offset import av_offset, expert_offset, mouth_opening, voice_energy
from cospeech.curation.score_plot import draw_scores
from cospeech.curation.split import KeptClip, assign_split, split_sizes
from cospeech.curation.verdict import CHECKS, Score, count_reasons, refusal_reasons
from cospeech.curation.visibility import measure_poses
from cospeech.curation.visual import VisualJob, measure_clip
from cospeech.footage.consent import consent_reasons
from cospeech.harness import stderr_filter
from cospeech.harness.cached_map import cached_map
from cospeech.harness.clip_cache import ClipStore
from cospeech.harness.context import Context
from cospeech.harness.files import code_digest, file_digest, read_json, value_digest
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.media import read_frames, read_speech
from cospeech.pose import faces
from cospeech.pose.track import PoseTrack
from cospeech.pose.track_file import load_track
from cospeech.utils.json_types import JSONObject

if TYPE_CHECKING:
    from cospeech.metric_networks.lipsync import SyncJudge

STAGE = "curate"
SPOKEN = 0.5
"""A frame of at least this voice probability holds speech."""


@dataclass(frozen=True)
class Measured:
    """Scores per clip, and which clips' pixels were not measured anew."""

    scores: dict[str, dict[str, Score]]
    reused: dict[str, bool]


def run(params: Params, context: Context) -> StageReport:
    """Write data/curated.parquet: a row per manifest row.

    Raises:
        ValueError: fewer than one clip left to train or to test with (the table is written nevertheless), or clips
            that could not be measured.
    """
    begun = time.monotonic()
    ledger = Ledger.load(context.workspace.ledger)
    measured = _measure(params, context, ledger.usable)
    table = _verdicts(params, ledger, measured.scores)
    table["split"] = _split(params, table)
    Curated(table).save(context.workspace.curated)
    timings = {"seconds": time.monotonic() - begun, "reused": sum(measured.reused.values())}
    report = _report(params, context.workspace, table, timings)
    report.save(context.workspace.stage_report(STAGE))
    _require_both(table)
    return report


def _measure(params: Params, context: Context, clips: list[str]) -> Measured:
    """Pixels are measured once a clip and kept in the store; the rest is cheap and computed again."""
    workspace = context.workspace
    store = ClipStore(
        workspace.store, STAGE, value_digest([params.media.fps, code_digest(visual, faces, stderr_filter)])
    )
    jobs = [_job(clip, workspace, store, params.media.fps) for clip in clips]
    reused = cached_map(
        jobs, measure_clip, lambda job: {"visual.json": _visual_scores(job, workspace)}, context, "pixels"
    )
    judge = _load_judge(params)
    scores = {job.clip: _scores(job, workspace, params.media.fps, judge) for job in jobs}
    return Measured(scores, reused)


def _job(clip: str, workspace: Workspace, store: ClipStore, fps: float) -> VisualJob:
    video, poses = workspace.video(clip), workspace.poses(clip)
    for path, stage in ((video, "ingest"), (poses, "extract_poses"), (workspace.audio(clip), "extract_audio")):
        if not path.is_file():
            raise ValueError(f"clip {clip}: {path} is missing; run dvc repro {stage}")
    return VisualJob(clip, video, poses, fps, store, store.key(file_digest(video), file_digest(poses)))


def _visual_scores(job: VisualJob, workspace: Workspace) -> Path:
    return workspace.scratch / STAGE / f"{job.clip}.json"


def _load_judge(params: Params) -> "SyncJudge | None":
    """Without an expert nothing here needs torch, whose import would take longer than the stage."""
    path, media = params.curate.sync_expert, params.media
    if path is None:
        return None
    from cospeech.metric_networks.lipsync import load_judge
    from cospeech.utils.device import pick_device

    device = pick_device(params.compute.device)
    return load_judge(path, device, media.fps, media.sample_rate, "curate.sync_expert")


def _offset(
    job: VisualJob, workspace: Workspace, features: AudioFeatures, track: PoseTrack, judge: "SyncJudge | None"
) -> tuple[int | None, float]:
    """Frames by which the sound is late, and the evidence: by the expert if there is one."""
    if judge is None:
        return av_offset(mouth_opening(track), voice_energy(features))
    from cospeech.metric_networks.lipsync import Sound

    lips = judge.lips(read_frames(job.video), track.keypoints)
    return expert_offset(lips, judge.speech(Sound(features.mel, *read_speech(workspace.speech(job.clip)))))


def _scores(job: VisualJob, workspace: Workspace, fps: float, judge: "SyncJudge | None") -> dict[str, Score]:
    track, features = load_track(job.poses), AudioFeatures.load(workspace.audio(job.clip))
    if len(features.voice) != len(track):
        raise ValueError(
            f"clip {job.clip}: {len(track)} frames of poses but {len(features.voice)} of sound; "
            "run dvc repro extract_poses extract_audio"
        )
    offset, evidence = _offset(job, workspace, features, track, judge)
    return {
        "clip_seconds": len(features.voice) / fps,
        **measure_poses(track),
        **read_json(_visual_scores(job, workspace)),
        "voice_share": float((features.voice >= SPOKEN).mean()),
        "av_offset": offset,
        "av_evidence": evidence,
    }


def _verdicts(params: Params, ledger: Ledger, scores: dict[str, dict[str, Score]]) -> pd.DataFrame:
    """The ledger with kept, reasons, scores and thresholds; refused by ingest: no scores, ingest's reason."""
    thresholds = params.curate.thresholds()
    table = ledger.table.copy()
    rows: list[JSONObject] = []
    for row in table.to_dict("records"):
        if row["status"] != "ok":
            rows.append({"reasons": [f"ingest: {row['reason']}"]})
            continue
        measured = scores[row["clip"]]
        papers = consent_reasons(_text(row["consent"]), _text(row["licence"])) if params.curate.require_consent else []
        rows.append({**measured, "reasons": [*papers, *refusal_reasons(measured, thresholds)]})
    for name in thresholds:
        table[name] = pd.array([row.get(name) for row in rows], dtype="Float64")
        table[f"{name}_threshold"] = float(thresholds[name])
    table["kept"] = [not row["reasons"] for row in rows]
    table["reasons"] = [json.dumps(row["reasons"], ensure_ascii=False) for row in rows]
    return table


def _split(params: Params, table: pd.DataFrame) -> list[str | None]:
    rows = [row for row in table.to_dict("records") if row["kept"]]
    kept = [KeptClip(row["clip"], _text(row["speaker"]), _text(row["split"])) for row in rows]
    split = assign_split(kept, params.curate.holdout_every)
    return [split.get(row["clip"]) if row["kept"] else None for row in table.to_dict("records")]


def _text(value: object) -> str | None:
    """Null in whatever way the table says it, or text."""
    return str(value).strip() or None if isinstance(value, str) else None


def _require_both(table: pd.DataFrame) -> None:
    parts = split_sizes({row["clip"]: row["split"] for row in table[table["kept"]].to_dict("records")})
    if parts["train"] and parts["test"]:
        return
    names = count_reasons(reason for reasons in table["reasons"] for reason in json.loads(reasons))
    most = ", ".join(f"{name} ({count})" for name, count in names[:3]) or "none was refused"
    raise ValueError(
        f"{len(table)} clips named, {int(table['kept'].sum())} kept: {parts['train']} to train, {parts['test']} to "
        f"test, and at least one of each is needed. Most frequent reasons: {most}. data/curated.parquet has every "
        "score; add footage, or change the thresholds in the section curate"
    )


def _report(params: Params, workspace: Workspace, table: pd.DataFrame, timings: dict[str, float]) -> StageReport:
    names = count_reasons(reason for reasons in table["reasons"] for reason in json.loads(reasons))
    kept = table[table["kept"]]
    parts = split_sizes({row["clip"]: row["split"] for row in kept.to_dict("records")})
    figures = {
        "named": len(table),
        "kept": len(kept),
        "refused": len(table) - len(kept),
        **parts,
        "seconds_kept": round(float(kept["clip_seconds"].sum()), 2),
        **{f"refused_{name}": count for name, count in names},
    }
    picture = workspace.stage_report(STAGE) / "scores.png"
    draw_scores(picture, table, CHECKS, params.curate.thresholds())
    why = ", ".join(f"{name} {count}" for name, count in names) or "none"
    split = f"{parts['train']} train, {parts['test']} test"
    summary = f"{len(kept)} of {len(table)} clips kept ({split}); reasons for refusal: {why}"
    return StageReport(STAGE, summary, figures, timings, {"Scores and thresholds": picture})
