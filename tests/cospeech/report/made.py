"""A made-up run for tests of the report: real files, figures without meaning."""

from pathlib import Path
from typing import Any

import numpy as np

from cospeech.evaluation.control_tables import NAMES
from cospeech.harness.stage_report import StageReport
from cospeech.media import save_png, write_video
from cospeech.metrics.control import QUANTITIES
from cospeech.metrics.registry import GESTURES, MEASURES, SET_MEASURES
from cospeech.report.content import ClipVideos, Refused, ReportData, Strips
from cospeech.report.page import TITLES

CLIPS = ("ann-2", "bob-1", "eve-3")
FPS, FRAMES = 25, 20
ABLATED = (
    "mouth_slope", "mouth_correlation", "lpips", "lpips_face", "lpips_hands", "hand_pck", "hand_missing", "identity",
    "psnr", "ssim", "lmd", "hkc", "sync_c", "sync_d",
)  # fmt: skip
"""Of the flow `ablate`."""
_PHASES = ("motion", "pose", "denoise", "decode", "encode")


def made_report(folder: Path) -> ReportData:
    rows = [
        {"clip": clip, "speaker": clip[:3], "split": "seen", "model": model, **_values(index * 10 + place)}
        for index, clip in enumerate(CLIPS)
        for place, model in enumerate(TITLES)
    ]
    rows[3]["psnr"] = None
    picture = folder / "loss.png"
    save_png(picture, np.random.default_rng(0).integers(0, 255, (900, 2400, 3), dtype=np.uint8))
    return ReportData(
        metrics=_metrics(),
        strips={clip: Strips(picture, None if clip == "eve-3" else picture) for clip in CLIPS},
        rows=rows,
        offsets=[0, 0, 0, 1, -1, 0, 3],
        shifts={
            "copy_reference": [0.9] * 31,
            "teacher": [1.0 - 0.3 * (shift == 15) for shift in range(31)],
            "student": [1.0] * 31,
        },
        ablation=[{"name": "without <local>", "fps": 9.5, **dict.fromkeys(ABLATED, 0.123456)}],
        videos={clip: _videos(folder, clip, seed) for seed, clip in enumerate(CLIPS[:2])},
        stages=[StageReport("train_teacher", "a teacher", {"psnr": 25.0}, {}, {"training loss": picture})],
        refused=[Refused("dan-1", "clips/<dan>.mp4", ("hands_visible: a hand in 0.10 of frames, 0.50 needed",))],
        reasons={"hands_visible": 1},
        params="seed: 0\n",
        data={"clips": "5: 2 for training, 3 held out, 1 refused"},
    )


def _videos(folder: Path, clip: str, seed: int) -> ClipVideos:
    paths = ClipVideos(*(folder / f"{clip}{kind}.mp4" for kind in ("", "_real", "_student")))
    rng, time = np.random.default_rng(seed), np.arange(2 * FRAMES)[:, None, None, None]
    texture = rng.integers(0, 200, (1, 64, 64, 3))
    for path, count in ((paths.comparison, FRAMES), (paths.real, 2 * FRAMES), (paths.student, 2 * FRAMES)):
        frames = ((texture + 3 * time[:count]) % 256).astype(np.uint8)
        write_video(path, frames, FPS, np.zeros(count * 640, np.float32), 16000)
    return paths


def _values(seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    return {measure.key: float(rng.random()) for measure in MEASURES}


def _metrics() -> dict[str, Any]:
    models = {}
    for index, model in enumerate(TITLES):
        values = _values(100 + index)
        interval = {key: [value - 0.1, value + 0.1] for key, value in values.items()}
        parts = {split: {"clips": 3 if split == "seen" else 0, **values} for split in ("seen", "unseen")}
        sets = {measure.key: None for measure in SET_MEASURES}
        reasons = [{"measure": "fid", "reason": "needs the official Inception-v3 weights"}]
        models[model] = {
            "clips": 3, **values, "interval": interval, **parts, **sets, "reasons": reasons,
            "sync_source": "lip-sync expert sync",
        }  # fmt: skip
    timed = {f"{phase}{part}_ms": 1.5 for phase in _PHASES for part in ("", "_p95")}
    timed |= {"median_ms": 4.5, "p95_ms": 6.0, "voice_to_file_fps": 133.0, "arithmetic": "fp32"}
    difference = _values(200)
    controls = {name: {"slope": 0.5, "correlation": 0.9, "clips": 3} for name in NAMES.values()}
    nothing = {name: {"slope": None, "correlation": None, "clips": 0} for name in NAMES.values()}
    return {
        "control": {each.key: nothing if each.key == "brows" else controls for each in QUANTITIES},
        **models,
        "student_minus_teacher": {
            "clips": 3, **difference, "interval": {key: [value - 0.2, value + 0.2] for key, value in difference.items()}
        },
        "motion": {kind: {each.key: 0.5 for each in GESTURES} for kind in ("drawn", "retrieval", "ground_truth")},
        "footage_offsets": {"stretches": 7, "within_1_frame": 6 / 7, "median": 0.0},
        "speed": {"teacher_fps": 1.84, "student_fps": 23.6, "ratio": 12.8, "device": "a processor", "clips": 3,
                  "teacher": timed, "student": timed},
        "protocol": {"clips": [{}] * 3, "seen": list(CLIPS), "unseen": [], "frames": 60, "reference_frame": 0,
                     "window": 8, "overlap": 2, "chunk": 2, "detector": "mediapipe", "detector_size": 512,
                     "size": 64, "fps": FPS},
    }  # fmt: skip
