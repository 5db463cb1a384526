"""Motion drawn from the voice of held-out clips against their real motion: FGD, beats, diversity, lips.

Axes: T frames, Q coordinates of arms and hands in shoulder widths, N windows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from cospeech.datasets.motion_clips import MovingClip
from cospeech.harness.progress import Progress
from cospeech.metrics.distributions import frechet_distance
from cospeech.metrics.gestures import beat_consistency, diversity, motion_beats, voice_beats
from cospeech.metrics.lips import face_found, lip_correlation, lmd
from cospeech.metrics.registry import GESTURES
from cospeech.metrics.sync import SyncScore
from cospeech.metrics.uncertainty import estimate, paired_difference
from cospeech.models.perception.gesture import WINDOW, GestureEncoder
from cospeech.motion.blinks import blinks_a_minute
from cospeech.motion.model import MotionModel
from cospeech.motion.stream import draw_motion
from cospeech.motion_evaluation.baselines import MeanPose, Retrieval
from cospeech.pose import skeleton as sk
from cospeech.training.trainer import Optimisation, seeded, train
from cospeech.utils.json_types import JSONObject

DRAWN, TRUTH, BASELINES = "drawn", "ground_truth", ("retrieval", "mean_pose", "still")
_BATCH, _HOP = 64, 8
_BY_CLIP = ("beat_consistency", "blinks", "lmd", "lip_correlation", "sync_c", "sync_d")
"""Measures that every clip has; the others are of the set."""
Tracks = Sequence[np.ndarray]
"""Keypoints (T, 133, 2) of every clip."""
Scores = Sequence[SyncScore | None]
"""Of the lips of every clip, where they were judged."""


def all_motion(
    model: MotionModel | None, training: Sequence[MovingClip], clips: Sequence[MovingClip], steps: int, seed: int
) -> dict[str, Tracks]:
    """By kind the motion of every clip, drawn from its voice and its first pose: by the model where there is one, by
    retrieval, the mean pose of training, the first pose kept, and the real motion."""
    kinds: dict[str, Tracks] = {}
    if model is not None:
        kinds[DRAWN] = [draw_motion(model, clip.mel, clip.keypoints[0], steps, seed) for clip in clips]
    if training:
        for name, baseline in (("retrieval", Retrieval(training)), ("mean_pose", MeanPose(training))):
            kinds[name] = [baseline.draw(clip.mel, clip.keypoints[0]) for clip in clips]
    kinds["still"] = [np.repeat(clip.keypoints[:1], len(clip), 0) for clip in clips]
    return {**kinds, TRUTH: [clip.keypoints for clip in clips]}


def gesture_tables(
    kinds: Mapping[str, Tracks],
    clips: Sequence[MovingClip],
    encoder: GestureEncoder | None,
    fps: int,
    seed: int,
    sync: Mapping[str, Scores] | None = None,
) -> JSONObject:
    """By kind of motion every measure of GESTURES, means over clips with their intervals; what is None has its reason.

    `drawn_minus`: by baseline, what drawn motion has more of, clip by clip. sync: by kind, how its lips were judged.
    """
    unjudged: Scores = [None] * len(clips)
    rows = {
        name: _rows(tracks, clips, (sync or {}).get(name, unjudged), fps, name == TRUTH)
        for name, tracks in kinds.items()
    }
    tables = {name: _table(tracks, rows[name], clips, encoder, name == TRUTH, seed) for name, tracks in kinds.items()}
    if DRAWN in rows:
        gains = {name: _gain(rows[DRAWN], rows[name], seed) for name in BASELINES if name in rows}
        tables["drawn_minus"] = gains
    return tables


def _rows(
    tracks: Tracks, clips: Sequence[MovingClip], scores: Scores, fps: int, itself: bool
) -> list[dict[str, float | None]]:
    """A row a clip of the measures in _BY_CLIP."""
    rows = []
    for track, clip, score in zip(tracks, clips, scores, strict=True):
        row: dict[str, float | None] = dict.fromkeys(_BY_CLIP)
        row["beat_consistency"] = beat_consistency(motion_beats(gesture_points(track), fps), voice_beats(clip.mel, fps))
        row["blinks"] = blinks_a_minute(track, fps) if face_found(clip.track).any() else None
        if score is not None:
            row |= {"sync_c": score.confidence, "sync_d": score.distance}
        if not itself:
            distances = lmd(replace(clip.track, keypoints=track), clip.track)
            row["lmd"] = None if np.isnan(distances).all() else float(np.nanmean(distances))
            row["lip_correlation"] = lip_correlation(track, clip.track)
        rows.append(row)
    return rows


def _table(
    tracks: Tracks,
    rows: Sequence[Mapping[str, float | None]],
    clips: Sequence[MovingClip],
    encoder: GestureEncoder | None,
    itself: bool,
    seed: int,
) -> JSONObject:
    points = [gesture_points(track) for track in tracks]
    shortest = min(map(len, points), default=0)
    table: JSONObject = {
        "clips": len(rows),
        "fgd": None if itself else _fgd(points, clips, encoder),
        "diversity": diversity(np.stack([moved(each[:shortest]) for each in points])) if points else None,
        "interval": {},
    }
    for key in _BY_CLIP:
        values = np.array([row[key] for row in rows if row[key] is not None], np.float64)
        found = estimate(values, np.ones(len(values)), seed)
        table[key] = found and found.mean
        if found is not None:
            table["interval"][key] = [found.low, found.high]
    return {**table, "reasons": _reasons(table, encoder, itself)}


def _gain(
    ours: Sequence[Mapping[str, float | None]], theirs: Sequence[Mapping[str, float | None]], seed: int
) -> JSONObject:
    gain: JSONObject = {"interval": {}}
    for key in _BY_CLIP:
        pairs = [(a[key], b[key]) for a, b in zip(ours, theirs, strict=True) if None not in (a[key], b[key])]
        if pairs:
            values = np.array(pairs, np.float64)
            found = paired_difference(values[:, 0], values[:, 1], np.ones(len(pairs)), seed)
            assert found is not None
            gain[key], gain["interval"][key] = found.mean, [found.low, found.high]
    return gain


def _reasons(table: JSONObject, encoder: GestureEncoder | None, itself: bool) -> list[dict[str, str]]:
    no_encoder = f"evaluate trains an encoder for it, where a clip has {WINDOW} frames"
    why = {
        "fgd": no_encoder if encoder is None else "there are fewer than two windows",
        "beat_consistency": "nothing moves, or the voice has no beat",
        "diversity": "there are fewer than two clips",
        **dict.fromkeys(("lmd", "blinks"), "no face was found"),
        "lip_correlation": "no face was found, or the real lips do not move",
        **dict.fromkeys(("sync_c", "sync_d"), "was not shown to a lip-sync expert, or the clips are too short for it"),
    }
    if itself:
        why |= dict.fromkeys(("fgd", "lmd", "lip_correlation"), "real motion is what the others are compared with")
    return [{"measure": each.key, "reason": why[each.key]} for each in GESTURES if table[each.key] is None]


def _fgd(points: Tracks, clips: Sequence[MovingClip], encoder: GestureEncoder | None) -> float | None:
    if encoder is None:
        return None
    real = [gesture_points(clip.keypoints) for clip in clips]
    codes = []
    for tracks in (points, real):
        windows = [part for track in tracks for part in cut(track)]
        if len(windows) < 2:
            return None
        with torch.no_grad():
            codes.append(encoder(torch.from_numpy(np.stack(windows))).numpy())
    return frechet_distance(*codes)


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


def train_encoder(clips: Sequence[MovingClip], steps: int, seed: int, bar: Progress) -> GestureEncoder | None:
    """An autoencoder of the training people's windows; None where no clip is long enough."""
    tracks = [gesture_points(clip.keypoints) for clip in clips]
    windows = [part for track in tracks for part in cut(track, 1)]
    if not windows:
        return None
    data = torch.from_numpy(np.stack(windows))
    with seeded(seed):
        encoder = GestureEncoder(data.shape[2])
    encoder.fit_statistics(data.flatten(0, 1))

    def loss(model: GestureEncoder, step: int, generator: torch.Generator) -> torch.Tensor:
        return model.error(data[torch.randint(len(data), (_BATCH,), generator=generator)])

    settings = Optimisation(steps, 2e-3, 20, 0.4, (0.9, 0.98), 0.01, 1.0, 0.98)
    return train(encoder, loss, settings, seed, bar).average
