"""Lips drawn from real voices against the real lips."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np

from benchmarks.real.footage import Extracted, Figures
from benchmarks.real.labels import Label
from cospeech.datasets.motion_clips import MovingClip, load_moving
from cospeech.metrics.lips import lip_correlation, lip_gap, lmd
from cospeech.motion.model import MotionModel
from cospeech.motion.stream import draw_motion

_QUIET = 0.2
"""Log-mel energy under this quantile of the clip counts as silence."""


def shots(found: Extracted, labels: Sequence[Label], fps: int) -> dict[str, MovingClip]:
    """One speaker in one shot each, by a name: how they moved and what was heard."""
    shots = {}
    for label in labels:
        row = found.table[found.table["uri"] == label.name].iloc[0]
        if not found.workspace.poses(row["clip"]).is_file():
            continue
        clip = load_moving(found.workspace, [row["clip"]])[0]
        for number, (start, end) in enumerate(label.lips, start=1):
            part = slice(int(start * fps), min(int(end * fps), len(clip)))
            name = Path(label.name).stem + (f"_{number}" if len(label.lips) > 1 else "")
            shots[name] = MovingClip(clip.track[part], clip.mel[part])
    return shots


def measure_lips(model: MotionModel, clips: dict[str, MovingClip], steps: int, folder: Path) -> dict[str, Figures]:
    """By shot: correlation of the lip gap with the real one; lmd, and lmd_still of a mouth that never moves; silence:
    spread of the gap where nobody speaks over its spread in speech. Curves of both gaps are saved as folder/NAME.png.

    closure: at p, b, m; None, for nothing here says when they are spoken.
    """
    rows: dict[str, Figures] = {}
    for name, clip in clips.items():
        real = clip.track
        drawn = replace(real, keypoints=draw_motion(model, clip.mel, clip.keypoints[0], steps, seed=0))
        still = replace(real, keypoints=np.repeat(clip.keypoints[:1], len(clip), 0))
        rows[name] = {
            "correlation": lip_correlation(drawn.keypoints, real),
            "lmd": float(np.nanmean(lmd(drawn, real))),
            "lmd_still": float(np.nanmean(lmd(still, real))),
            "closure": None,
            "silence": _silence(drawn.keypoints, clip.mel),
        }
        _draw(folder / f"{name}.png", lip_gap(real.keypoints), lip_gap(drawn.keypoints), name)
    return rows


def _silence(keypoints: np.ndarray, mel_TMC: np.ndarray) -> float | None:
    energy_T, gap_T = mel_TMC.mean((1, 2)), lip_gap(keypoints)
    quiet_T = energy_T < np.quantile(energy_T, _QUIET)
    spoken = gap_T[~quiet_T].std()
    return float(gap_T[quiet_T].std() / spoken) if spoken > 0 else None


def _draw(path: Path, real_T: np.ndarray, drawn_T: np.ndarray, title: str) -> None:
    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(real_T, label="real")
    axes.plot(drawn_T, label="drawn from the voice")
    axes.set(title=f"{title}: gap of the inner lips, distances between the eyes", xlabel="frame")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
