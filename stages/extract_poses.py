"""Find the 133 keypoints of every frame of every clip, in parallel over the clips."""

import time
from pathlib import Path

import numpy as np

from cospeech.artifacts import Ledger
from cospeech.config import Params
from cospeech.harness.cached_map import cached_map
from cospeech.harness.clip_cache import ClipStore
from cospeech.harness.context import Context
from cospeech.harness.files import file_digest
from cospeech.harness.stage_report import Figure, StageReport
from cospeech.harness.workspace import Workspace
from cospeech.media import contact_sheet, read_frames, save_png
from cospeech.pose import skeleton as sk
from cospeech.pose.detectors import options_of
from cospeech.pose.drawing import draw_skeletons, overlay
from cospeech.pose.extract import POSES_FILE, PoseJob, extract_clip, salt
from cospeech.pose.track import PoseTrack
from cospeech.pose.track_file import load_track

STAGE = "extract_poses"
SHOWN_CLIPS = 6


def run(params: Params, context: Context) -> StageReport:
    """Write data/poses for every clip that ingest produced.

    Raises:
        ValueError: no clips, or some could not be worked (the message names each; what was finished is kept).
    """
    begun = time.monotonic()
    workspace = context.workspace
    ledger = Ledger.load(workspace.ledger)
    if not ledger.usable:
        raise ValueError(f"{workspace.ledger}: no usable clip; its column reason says why each was refused")
    jobs = _jobs(params, workspace, ledger)
    longest_first = sorted(jobs, key=lambda job: -job.frames)  # so that no worker is left with a long clip at the end
    reused = cached_map(
        longest_first, extract_clip, lambda job: {POSES_FILE: workspace.poses(job.clip)}, context, "poses"
    )
    _remove_stale(workspace, set(reused))
    extracted = [job for job in jobs if not reused[job.clip]]
    report = _report(workspace, jobs, extracted, time.monotonic() - begun)
    report.save(workspace.stage_report(STAGE))
    return report


def _jobs(params: Params, workspace: Workspace, ledger: Ledger) -> list[PoseJob]:
    backend = params.poses.backend
    options = options_of(backend, params.poses.model_dump())
    store = ClipStore(workspace.store, STAGE, salt(backend, options))
    frames = ledger.table.set_index("clip")["frames"]
    jobs = []
    for clip in ledger.usable:
        video = workspace.video(clip)
        if not video.is_file():
            raise ValueError(f"clip {clip}: {video} is missing though {workspace.ledger} names it; run ingest again")
        key = store.key(file_digest(video))
        jobs.append(PoseJob(clip, video, int(frames[clip]), backend, options, store, key))
    return jobs


def _remove_stale(workspace: Workspace, clips: set[str]) -> None:
    for path in workspace.poses("any").parent.glob("*.safetensors"):
        if path.stem not in clips:
            path.unlink()


def _report(workspace: Workspace, jobs: list[PoseJob], extracted: list[PoseJob], seconds: float) -> StageReport:
    seen = np.concatenate([_parts_seen(load_track(workspace.poses(job.clip))) for job in jobs])
    pose, face, left, right = (round(float(share), 4) for share in seen.mean(axis=0))
    figures: dict[str, Figure] = {
        "clips": len(jobs),
        "frames": len(seen),
        "pose_share": pose,
        "face_share": face,
        "left_hand_share": left,
        "right_hand_share": right,
        "backend": jobs[0].backend,
    }
    frames = sum(job.frames for job in extracted)
    timings = {"seconds": seconds, "frames_per_second": frames / seconds, "reused": len(jobs) - len(extracted)}
    summary = (
        f"{len(seen)} frames of {len(jobs)} clips: body in {pose:.1%}, face in {face:.1%}, "
        f"left hand in {left:.1%}, right hand in {right:.1%}"
    )
    return StageReport(STAGE, summary, figures, timings, {"Keypoints and skeletons": _picture(workspace, jobs)})


def _parts_seen(track: PoseTrack) -> np.ndarray:
    """(T, 4) bool: upper body, face, left hand, right hand."""
    parts = (sk.UPPER_BODY, sk.FACE, sk.LEFT_HAND, sk.RIGHT_HAND)
    return np.stack([track.found[:, part].any(axis=1) for part in parts], axis=1)


def _picture(workspace: Workspace, jobs: list[PoseJob]) -> Path:
    """The middle frame of some clips, evenly chosen, under its keypoints; below it the skeleton for conditioning."""
    chosen = sorted({round(place) for place in np.linspace(0, len(jobs) - 1, SHOWN_CLIPS)})
    overlays, skeletons = [], []
    for job in (jobs[index] for index in chosen):
        middle = slice(job.frames // 2, job.frames // 2 + 1)
        pose = load_track(workspace.poses(job.clip))[middle]
        overlays.append(overlay(read_frames(job.video)[middle], pose))
        skeletons.append(draw_skeletons(pose))
    path = workspace.stage_report(STAGE) / "poses.png"
    save_png(path, contact_sheet(np.concatenate(overlays + skeletons), columns=len(chosen)))
    return path
