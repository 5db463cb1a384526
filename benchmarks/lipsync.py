"""Does a lip-sync judge find the offset of footage: `python -m benchmarks.lipsync VIDEO...`.

Each video becomes a clip as `ingest` makes it, its keypoints are found, and its sound is shifted by known amounts. For
each shift: what the judge says of every 2 s stretch, a new one every 5 frames. Where the footage is in step as it came,
a good judge finds the shift. Writes reports/benchmarks/lipsync.json.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cospeech.audio.mel import log_mel
from cospeech.datasets.sync_clips import stretch_offsets
from cospeech.footage.cut import SPEECH, VIDEO, CutJob, CutSettings, Refused, cut_clip
from cospeech.footage.storage import Storage
from cospeech.harness.clip_cache import ClipStore
from cospeech.harness.files import write_json
from cospeech.media import read_frames, read_speech
from cospeech.metric_networks.lipsync import Sound, SyncJudge, load_judge
from cospeech.metrics.sync import sync_score
from cospeech.models.perception.sync import WINDOW
from cospeech.pose.detectors import build_detector

SHIFTS = (-8, -3, 0, 3, 8)
SECONDS = 2.0


def prepare(source: Path, settings: CutSettings, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Frames (T, H, W, 3) and speech (S,) of the clip that a video becomes."""
    store = ClipStore(folder, "ingest", "benchmark")
    cut = cut_clip(CutJob(str(source), Storage(None), settings, store))
    if isinstance(cut, Refused):
        raise ValueError(f"{source}: {cut.reason}")
    entry = store.entry(cut.key)
    return read_frames(entry / VIDEO), read_speech(entry / SPEECH)[0]


def shifted(samples: np.ndarray, count: int) -> np.ndarray:
    """Later by `count` samples, silence where nothing is left."""
    moved = np.roll(samples, count)
    moved[slice(0, count) if count > 0 else slice(len(moved) + count, None)] = 0
    return moved


def rows_of(
    name: str, judge: SyncJudge, lips: np.ndarray, samples: np.ndarray, settings: CutSettings
) -> list[dict[str, Any]]:
    frames = len(lips) + WINDOW - 1
    rows = []
    for shift in SHIFTS:
        moved = shifted(samples, shift * settings.sample_rate // settings.fps)
        mel = log_mel(moved, settings.sample_rate, frames, settings.fps)
        speech = judge.speech(Sound(mel, moved, settings.sample_rate))
        found = np.array(stretch_offsets(lips, speech, round(SECONDS * settings.fps), step=WINDOW))
        whole = sync_score(lips, speech)
        rows.append(
            {
                "video": name,
                "shift": shift,
                "whole_clip": whole.offset,
                "sync_c": whole.confidence,
                "sync_d": whole.distance,
                "stretches": len(found),
                "median": float(np.median(found)) if len(found) else None,
                "within_1_frame": float((np.abs(found - shift) <= 1).mean()) if len(found) else None,
            }
        )
    return rows


def measure(videos: Sequence[Path], expert: Path, settings: CutSettings) -> list[dict[str, Any]]:
    judge = load_judge(expert, torch.device("cpu"), settings.fps, settings.sample_rate, "--expert")
    detector, rows = build_detector("mediapipe"), []
    with tempfile.TemporaryDirectory() as folder:
        for video in videos:
            frames, samples = prepare(video, settings, Path(folder))
            lips = judge.lips(frames, detector.detect_video(frames).keypoints)
            rows += rows_of(video.name, judge, lips, samples, settings)
    detector.close()
    return [{"source": judge.source, **row} for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--expert", type=Path, default=Path("models/sync"), help="folder, or SyncNet's weights")
    parser.add_argument("--size", type=int, default=256, help="pixels a side of the clips")
    arguments = parser.parse_args()
    rows = measure(arguments.videos, arguments.expert, CutSettings(25, arguments.size, 16000))
    print("video                    shift  whole clip  Sync-C  2 s stretches  median  within 1 frame")
    for row in rows:
        share = "-" if row["within_1_frame"] is None else f"{row['within_1_frame']:.0%}"
        print(
            f"{row['video'][:24]:24} {row['shift']:>5} {row['whole_clip']:>11} {row['sync_c']:>7.3f} "
            f"{row['stretches']:>14} {row['median']!s:>7} {share:>15}"
        )
    write_json(Path("reports/benchmarks/lipsync.json"), rows)


if __name__ == "__main__":
    main()
