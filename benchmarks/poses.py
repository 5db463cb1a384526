"""A plain MediaPipe loop against the stage's extraction, over the same frames: `python -m benchmarks.poses`.

The plain loop is what one would write: one process, OpenCV to read, a new Holistic a clip, landmarks into arrays.
MediaPipe runs the two hands side by side in threads, so this loop uses more than one core; the second row is the same
loop held to one. Every method starts in fresh processes, imports and models included (2 s of processor time each), and
they take turns: with few clips the start weighs much. Measure clocks on a machine that does nothing else; processor
time a frame is steady on a busy one too. Writes reports/benchmarks/poses.json.
"""

import argparse
import multiprocessing
import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cospeech.harness.clip_cache import ClipStore
from cospeech.harness.files import write_json
from cospeech.harness.process_pool import ClipFailure, map_clips, process_pool
from cospeech.harness.progress import terminal_progress
from cospeech.harness.stderr_filter import without_notices
from cospeech.media import iter_frames
from cospeech.pose import skeleton as sk
from cospeech.pose.extract import POSES_FILE, PoseJob, extract_clip
from cospeech.pose.mediapipe import POSE_LANDMARKS, MediaPipeOptions
from cospeech.pose.track import PoseTrack
from cospeech.pose.track_file import load_track

OPTIONS = MediaPipeOptions()
ROW = (
    "{method:24s} {seconds:7.1f} s {fps:6.1f} frames/s {cores_used:5.2f} cores used "
    "{processor_ms_per_frame:6.1f} ms of a core a frame"
)


def plain_loop(videos: list[Path]) -> list[dict[str, np.ndarray]]:
    """Landmarks in pixels, NaN where there are none."""
    import cv2
    import mediapipe as mp

    results = []
    for video in videos:
        rows: dict[str, list[np.ndarray]] = {"pose": [], "face": [], "left": [], "right": []}
        with mp.solutions.holistic.Holistic() as holistic:
            for frame in iter_frames(video):
                height, width = frame.shape[:2]
                found = holistic.process(cv2.resize(frame, (OPTIONS.size, OPTIONS.size)))
                for name, landmarks, count in (
                    ("pose", found.pose_landmarks, 33),
                    ("face", found.face_landmarks, 468),
                    ("left", found.left_hand_landmarks, 21),
                    ("right", found.right_hand_landmarks, 21),
                ):
                    points = np.full((count, 2), np.nan)
                    if landmarks is not None:
                        points = np.array([(point.x * width, point.y * height) for point in landmarks.landmark])
                    rows[name].append(points)
        results.append({name: np.stack(each) for name, each in rows.items()})
    return results


def run_plain(videos: list[Path]) -> list[dict[str, np.ndarray]]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        return executor.submit(_quiet_plain_loop, videos).result()


def _quiet_plain_loop(videos: list[Path]) -> list[dict[str, np.ndarray]]:
    with without_notices():
        return plain_loop(videos)


def run_stage(jobs: list[PoseJob], workers: int) -> list[PoseTrack]:
    """What stages/extract_poses.py does with clips that are not in the store."""
    longest_first = sorted(jobs, key=lambda job: -job.frames)
    with process_pool(workers) as executor, terminal_progress("poses", len(jobs)) as bar:
        for job, result in map_clips(extract_clip, longest_first, executor, bar):
            if isinstance(result, ClipFailure):
                raise RuntimeError(f"{job.clip}: {result.details}")
    return [load_track(job.store.entry(job.key) / POSES_FILE) for job in jobs]


def pose_jobs(videos: list[Path], folder: Path) -> list[PoseJob]:
    store = ClipStore(folder, "poses", "benchmark")
    counts = [sum(1 for _ in iter_frames(video)) for video in videos]
    return [
        PoseJob(video.stem, video, frames, "mediapipe", OPTIONS, store, store.key(str(video)))
        for video, frames in zip(videos, counts, strict=True)
    ]


@contextmanager
def only_cores(count: int) -> Iterator[None]:
    """Hold this process, and those it starts meanwhile, to the first `count` cores it may use."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def timed(function: Callable[[], Any]) -> tuple[Any, float, float]:
    """The result, seconds by the clock, and processor seconds of the processes that it started."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    result = function()
    seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return result, seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def disagreement(plain: list[dict[str, np.ndarray]], stage: list[PoseTrack]) -> float:
    """Largest difference in pixels between what both report of body, hands and one face point."""
    worst = 0.0
    for rows, track in zip(plain, stage, strict=True):
        pairs = [(rows["pose"][:, list(POSE_LANDMARKS)], sk.BODY), (rows["face"][:, [152]], sk.JAW[8:9])]
        pairs += [(rows["left"], sk.LEFT_HAND), (rows["right"], sk.RIGHT_HAND)]
        for points, part in pairs:
            seen = track.found[:, part] & np.isfinite(points).all(axis=-1)
            worst = max(worst, float(np.abs(points - track.keypoints[:, part])[seen].max(initial=0)))
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=Path, default=Path("data/demo/clips"), help="folder of square mp4 files")
    parser.add_argument("--count", type=int, default=12, help="how many of them, evenly chosen; 0: all")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    found = sorted(arguments.clips.glob("*.mp4"))
    if not found:
        raise SystemExit(f"{arguments.clips}: no mp4 files")
    count = min(arguments.count, len(found)) or len(found)
    videos = [found[index * len(found) // count] for index in range(count)]
    if len(os.sched_getaffinity(0)) < arguments.cores:
        raise SystemExit(f"this process may use {len(os.sched_getaffinity(0))} cores, {arguments.cores} are needed")
    report = measure(videos, arguments.cores, arguments.repeats)
    for row in report["rows"]:
        print(ROW.format(**row))
    print(f"ratio {report['ratio']:.2f} (by processor time at most {report['ratio_bound']:.2f}), ", end="")
    print(f"largest difference {report['difference_px']:.4f} px, ", end="")
    print(f"{report['frames']} frames, load before {report['load_before']:.1f}")
    write_json(Path("reports/benchmarks/poses.json"), report)


def measure(videos: list[Path], cores: int, repeats: int) -> dict[str, Any]:
    """Rows of medians; ratio: plain seconds over the stage's, the median over the repeats."""
    load, runs = os.getloadavg()[0], []
    with only_cores(cores), tempfile.TemporaryDirectory() as folder:
        jobs = pose_jobs(videos, Path(folder))
        for _ in range(repeats):
            stage, *stage_times = timed(lambda: run_stage(jobs, cores))
            plain, *plain_times = timed(lambda: run_plain(videos))
            with only_cores(1):
                _, *single_times = timed(lambda: run_plain(videos))
            runs.append((plain_times, single_times, stage_times))
    frames, table = sum(job.frames for job in jobs), np.array(runs)
    names = ("plain loop", "plain loop on one core", f"stage, {cores} workers")
    rows = [
        {
            "method": name,
            "seconds": round(statistics.median(table[:, index, 0]), 3),
            "fps": round(frames / statistics.median(table[:, index, 0]), 2),
            "cores_used": round(statistics.median(table[:, index, 1] / table[:, index, 0]), 2),
            "processor_ms_per_frame": round(statistics.median(table[:, index, 1]) / frames * 1e3, 2),
        }
        for index, name in enumerate(names)
    ]
    return {
        "device": f"{platform.machine()}, {cores} cores",
        "clips": len(videos),
        "frames": frames,
        "load_before": round(load, 2),
        "rows": rows,
        "ratio": round(statistics.median(table[:, 0, 0] / table[:, 2, 0]), 3),
        "ratio_one_core": round(statistics.median(table[:, 1, 0] / table[:, 2, 0]), 3),
        "ratio_bound": round(statistics.median(table[:, 0, 0] / (table[:, 2, 1] / cores)), 3),
        "difference_px": round(disagreement(plain, stage), 6),
    }


if __name__ == "__main__":
    main()
