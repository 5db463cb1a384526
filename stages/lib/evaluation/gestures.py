"""Motion drawn from the voice of held-out clips against their real motion: FGD, beats, diversity, lips.

Axes: T frames, Q coordinates of arms and hands in shoulder widths, N windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from stages.lib.artifacts import AudioFeatures, Poses
from stages.lib.context import Progress
from stages.lib.metrics.catalogue import GESTURES
from stages.lib.metrics.distributions import frechet_distance
from stages.lib.metrics.gestures import beat_consistency, diversity, motion_beats, voice_beats
from stages.lib.metrics.lips import lmd
from stages.lib.motion import draw_motion
from stages.lib.nets.gesture import WINDOW, GestureEncoder
from stages.lib.nets.motion import MotionModel
from stages.lib.pose import skeleton as sk
from stages.lib.training import Optimisation, seeded, train
from stages.lib.workspace import Workspace

STEPS = 300
"""Of training the encoder: the error has stopped falling much (docs/metrics.md)."""
_BATCH, _HOP = 64, 8
_LEARNING = Optimisation(STEPS, 2e-3, 20, 0.4, (0.9, 0.98), 0.01, 1.0, 0.98)


@dataclass(frozen=True)
class Moving:
    """A clip's motion and voice."""

    poses: Poses
    mel: np.ndarray


def load_moving(workspace: Workspace, clips: Sequence[str]) -> list[Moving]:
    return [Moving(Poses.load(workspace.poses(clip)), AudioFeatures.load(workspace.audio(clip)).mel) for clip in clips]


def gesture_tables(
    model: MotionModel | None,
    encoder: GestureEncoder | None,
    clips: Sequence[Moving],
    fps: int,
    steps: int,
    seed: int,
) -> dict[str, Any]:
    """By kind of motion (drawn, still, ground_truth) every measure of GESTURES, means over clips.

    still: the first pose kept. Without a model nothing is drawn; what is None has its reason in `reasons`.
    """
    real = [clip.poses.keypoints for clip in clips]
    kinds = {"still": [np.repeat(track[:1], len(track), 0) for track in real], "ground_truth": real}
    if model is not None:
        drawn = [draw_motion(model, clip.mel, clip.poses.keypoints[0], steps, seed) for clip in clips]
        kinds = {"drawn": drawn, **kinds}
    return {name: _table(tracks, clips, encoder, fps, name == "ground_truth") for name, tracks in kinds.items()}


def _table(
    tracks: Sequence[np.ndarray], clips: Sequence[Moving], encoder: GestureEncoder | None, fps: int, itself: bool
) -> dict[str, Any]:
    points = [gesture_points(track) for track in tracks]
    beats = [
        beat_consistency(motion_beats(each, fps), voice_beats(clip.mel, fps))
        for each, clip in zip(points, clips, strict=True)
    ]
    known = [each for each in beats if each is not None]
    shortest = min(map(len, points), default=0)
    table: dict[str, Any] = {
        "clips": len(clips),
        "fgd": None if itself else _fgd(points, clips, encoder),
        "beat_consistency": float(np.mean(known)) if known else None,
        "diversity": diversity(np.stack([moved(each[:shortest]) for each in points])) if points else None,
        "lmd": None if itself else _lips(tracks, clips),
    }
    return {**table, "reasons": _reasons(table, encoder, itself)}


def _reasons(table: dict[str, Any], encoder: GestureEncoder | None, itself: bool) -> list[dict[str, str]]:
    why = {
        "fgd": f"no clip has {WINDOW} frames" if encoder is None else "there are fewer than two windows",
        "beat_consistency": "nothing moves, or the voice has no beat",
        "diversity": "there are fewer than two clips",
        "lmd": "no face was found",
    }
    if itself:
        why |= dict.fromkeys(("fgd", "lmd"), "real motion is what the others are compared with")
    return [{"measure": each.key, "reason": why[each.key]} for each in GESTURES if table[each.key] is None]


def _fgd(points: Sequence[np.ndarray], clips: Sequence[Moving], encoder: GestureEncoder | None) -> float | None:
    if encoder is None:
        return None
    real = [gesture_points(clip.poses.keypoints) for clip in clips]
    codes = []
    for tracks in (points, real):
        windows = [part for track in tracks for part in cut(track)]
        if len(windows) < 2:
            return None
        with torch.no_grad():
            codes.append(encoder(torch.from_numpy(np.stack(windows))).numpy())
    return frechet_distance(*codes)


def _lips(tracks: Sequence[np.ndarray], clips: Sequence[Moving]) -> float | None:
    distances = [
        lmd(track, clip.poses.confidence, clip.poses.keypoints, clip.poses.confidence)
        for track, clip in zip(tracks, clips, strict=True)
    ]
    known = np.concatenate(distances) if distances else np.zeros(0)
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else None


def gesture_points(keypoints: np.ndarray) -> np.ndarray:
    """Elbows, wrists and hands about the middle of the shoulders, in the clip's median shoulder width.

    (T, 133, 2) pixels -> (T, 92) float32.
    """
    left, right = keypoints[:, sk.LEFT_SHOULDER], keypoints[:, sk.RIGHT_SHOULDER]
    unit = max(float(np.median(np.linalg.norm(left - right, axis=-1))), 1.0)
    moving = np.concatenate([sk.ARMS[2:], sk.HANDS])
    points = (keypoints[:, moving] - ((left + right) / 2)[:, None]) / unit
    return points.reshape(len(points), -1).astype(np.float32)


def moved(points: np.ndarray) -> np.ndarray:
    """What changes over time: how people sit is no gesture. (T, Q) -> (T, Q)."""
    return points - points.mean(0)


def cut(points: np.ndarray, hop: int = _HOP) -> list[np.ndarray]:
    """Windows of WINDOW frames, a new one every `hop`: (T, Q) -> of (32, Q)."""
    return [points[start : start + WINDOW] for start in range(0, len(points) - WINDOW + 1, hop)]


def train_encoder(clips: Sequence[Moving], seed: int, bar: Progress, steps: int = STEPS) -> GestureEncoder | None:
    """An autoencoder of the training people's windows; None where no clip is long enough."""
    tracks = [gesture_points(clip.poses.keypoints) for clip in clips]
    windows = [part for track in tracks for part in cut(track, 1)]
    if not windows:
        return None
    data = torch.from_numpy(np.stack(windows))
    with seeded(seed):
        encoder = GestureEncoder(data.shape[2])
    encoder.fit_statistics(data.flatten(0, 1))

    def loss(model: GestureEncoder, step: int, generator: torch.Generator) -> torch.Tensor:
        return model.error(data[torch.randint(len(data), (_BATCH,), generator=generator)])

    settings = Optimisation(**{**_LEARNING.__dict__, "steps": steps})
    return train(encoder, loss, settings, seed, bar).average
