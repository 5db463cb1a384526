"""How often face, pose and hands are found in the embedded corpus, and whether its lips close: one table.

`python -m benchmarks.corpus_detection` runs the pipeline's detector (MediaPipe Holistic) over data/demo, writes
reports/benchmarks/corpus_detection.json and ends with status 1 where a share is under its floor.
"""

import argparse
import csv
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from cospeech.harness.files import read_json, write_json
from cospeech.harness.process_pool import ClipFailure, map_clips, process_pool
from cospeech.harness.progress import terminal_progress
from cospeech.media import read_frames
from cospeech.pose import skeleton as sk
from cospeech.pose.detectors import Detector, build_detector
from cospeech.pose.track import PoseTrack

FLOORS = {"face": 0.99, "pose": 0.99, "left_hand": 0.95, "right_hand": 0.95}
"""Least share of frames, over the corpus."""
_SHOULDERS_AND_WRISTS = (5, 6, 9, 10)
_PARTS: dict[str, np.ndarray] = {
    "face": np.asarray(sk.FACE),
    "pose": np.array(_SHOULDERS_AND_WRISTS),
    "left_hand": np.asarray(sk.LEFT_HAND),
    "right_hand": np.asarray(sk.RIGHT_HAND),
}
_UPPER_LIP, _LOWER_LIP, _EYE_CORNERS = 85, 89, (59, 68)
_FPS = 25


@dataclass(frozen=True)
class Job:
    clip: str
    video: Path
    alignment: Path


def measure(job: Job) -> dict[str, float | int | str]:
    """frames; how many of them show each part; bilabials, and the lips' gap in them against that in open vowels."""
    track = _detector().detect_video(read_frames(job.video))
    row: dict[str, float | int | str] = {"clip": job.clip, "frames": len(track)}
    for name, points in _PARTS.items():
        row[name] = int(track.found[:, points].all(1).sum())
    return row | lip_gaps(track, read_json(job.alignment)["phones"])


@cache
def _detector() -> Detector:
    """One a process: a graph that is left behind keeps its memory."""
    return build_detector("mediapipe")


def lip_gaps(track: PoseTrack, phones: list[dict]) -> dict[str, float | int]:
    """Least gap between the inner lips about each p, b, m and greatest about each open vowel, means over the clip.

    In distances between the outer corners of the eyes.
    """
    points = track.keypoints.astype(np.float64)
    gap = np.linalg.norm(points[:, _LOWER_LIP] - points[:, _UPPER_LIP], axis=1)
    gap /= np.linalg.norm(points[:, _EYE_CORNERS[0]] - points[:, _EYE_CORNERS[1]], axis=1)

    def around(phone: dict) -> np.ndarray:
        middle = int((phone["start"] + phone["end"]) / 2 * _FPS)
        return gap[max(0, middle - 1) : middle + 2]

    closed = [around(phone).min() for phone in phones if phone["text"][:1] in tuple("pbm")]
    opened = [around(phone).max() for phone in phones if phone["text"][:1] in tuple("aɑæɐ")]
    return {
        "bilabials": len(closed),
        "gap_bilabial": round(float(np.mean(closed)), 4),
        "gap_open": round(float(np.mean(opened)), 4),
    }


def total(rows: list[dict[str, float | int | str]]) -> dict[str, float]:
    """Shares of all frames, and mean gaps."""
    frames = sum(int(row["frames"]) for row in rows)
    shares = {name: sum(int(row[name]) for row in rows) / frames for name in FLOORS}
    gaps = {name: float(np.mean([float(row[name]) for row in rows])) for name in ("gap_bilabial", "gap_open")}
    return {"frames": frames} | {name: round(value, 4) for name, value in (shares | gaps).items()}


def print_table(rows: list[dict[str, float | int | str]], overall: Mapping[str, float]) -> None:
    print(f"{'clip':<12}{'frames':>7}" + "".join(f"{name:>12}" for name in FLOORS) + f"{'closed':>9}{'open':>9}")
    for row in rows:
        shares = "".join(f"{int(row[name]) / int(row['frames']):>12.1%}" for name in FLOORS)
        print(f"{row['clip']:<12}{row['frames']:>7}{shares}{row['gap_bilabial']:>9.3f}{row['gap_open']:>9.3f}")
    shares = "".join(f"{overall[name]:>12.2%}" for name in FLOORS)
    print(f"{'all':<12}{overall['frames']:>7}{shares}{overall['gap_bilabial']:>9.3f}{overall['gap_open']:>9.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, default=Path("data/demo"))
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/corpus_detection.json"))
    parser.add_argument("--workers", type=int, default=0, help="processes; 0: one a core")
    options = parser.parse_args()
    with (options.corpus / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        jobs = [
            Job(Path(row["uri"]).stem, options.corpus / row["uri"], options.corpus / row["alignment"])
            for row in csv.DictReader(stream)
        ]
    rows = {}
    with process_pool(options.workers) as pool, terminal_progress("detect", len(jobs)) as bar:
        for job, result in map_clips(measure, jobs, pool, bar):
            if isinstance(result, ClipFailure):
                sys.exit(f"{job.clip}: {result.reason}")
            rows[job.clip] = result
    ordered = [rows[job.clip] for job in jobs]
    overall = total(ordered)
    print_table(ordered, overall)
    write_json(options.output, {"detector": "mediapipe", "clips": ordered, "all": overall, "floors": FLOORS})
    short = [f"{name} {overall[name]:.2%} < {floor:.0%}" for name, floor in FLOORS.items() if overall[name] < floor]
    if short:
        sys.exit("under the floor: " + ", ".join(short))


if __name__ == "__main__":
    main()
