"""Lips by their landmarks: do they take the real shape, do they close where they must and open between.

Axes: T frames, 133 COCO-WholeBody keypoints, P points.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from cospeech.pose import skeleton as sk
from cospeech.pose.track import PoseTrack

CLOSED = 0.04
"""Inner-lip gap, in distances between the eyes, under which lips count as closed. Over the real clips of the embedded
corpus 84% of 230 p, b, m are under it, 29% of other sounds, 6% of open vowels (docs/reference/metrics.md)."""
OPEN = 2 * CLOSED
"""Inner-lip gap, in distances between the eyes, over which real lips count as open."""
BILABIAL = frozenset("pbm")
_STEADY = np.r_[sk.NOSE_BRIDGE, sk.NOSE_BASE, sk.RIGHT_EYE_RING, sk.LEFT_EYE_RING]
_UPPER, _LOWER = sk.INNER_LIPS[1:4], sk.INNER_LIPS[[7, 6, 5]]
_MARKS = "ʰʷʲˠˤːˑ̩̚ˈˌ0123456789_"


def lmd(made: PoseTrack, true: PoseTrack) -> np.ndarray:
    """Landmark distance of the mouth in every frame.

    Mean distance of the 20 mouth points (71-90) to the real ones, after the similarity (rotation, scale, translation;
    Umeyama 1991) that best lays the generated nose and eyes on the real ones, divided by the real distance between
    the eyes' middles: the head's place does not count, the mouth's place in the face does. Without unit, from 0
    upwards; lower is better. After Chen et al., ECCV 2018. (T,), NaN where a face is not found.
    """
    distances = np.full(len(made), np.nan)
    for t in np.flatnonzero(face_found(made) & face_found(true)):
        drawn, real = made.keypoints[t].astype(np.float64), true.keypoints[t].astype(np.float64)
        aligned = align(drawn[_STEADY], real[_STEADY], drawn[sk.MOUTH])
        distances[t] = np.linalg.norm(aligned - real[sk.MOUTH], axis=-1).mean() / eye_distance(real)
    return distances


def align(source: np.ndarray, target: np.ndarray, points: np.ndarray) -> np.ndarray:
    """`points` under the similarity that carries `source` nearest to `target` in least squares (all (P, 2)).

    In the plane, with points as complex numbers about their means: factor = <source, target> / |source|^2.
    """
    z, w, p = (each[..., 0] + 1j * each[..., 1] for each in (source, target, points))
    centred = z - z.mean()
    factor = np.vdot(centred, w - w.mean()) / max(np.vdot(centred, centred).real, 1e-12)
    moved = factor * (p - z.mean()) + w.mean()
    return np.stack([moved.real, moved.imag], -1)


def lip_gap(keypoints: np.ndarray) -> np.ndarray:
    """Gap between the inner lips: mean of their three middle pairs over the distance between the eyes' middles.

    (T, 133, 2) -> (T,), without unit, from 0 upwards.
    """
    gap = np.linalg.norm(keypoints[:, _UPPER] - keypoints[:, _LOWER], axis=-1).mean(1)
    return gap / eye_distance(keypoints)


def lip_correlation(keypoints: np.ndarray, true: PoseTrack) -> float | None:
    """Pearson correlation of the lip gap with the real one over the frames of a clip, -1..1; higher is better.

    Says whether lips open when they should, whatever the head does. 0 where they do not move; None where the real ones
    do not. keypoints: (T, 133, 2), drawn.
    """
    found = face_found(true)
    made, real = lip_gap(keypoints[found]), lip_gap(true.keypoints[found])
    if len(real) < 2 or real.std() < 1e-6:
        return None
    return float(np.corrcoef(made, real)[0, 1]) if made.std() > 1e-6 else 0.0


def bilabial_closure(
    track: PoseTrack,
    phones: Sequence[tuple[str, float, float]],
    fps: float,
    start: int = 0,
    closed: float = CLOSED,
) -> tuple[int, int]:
    """How many p, b, m are spoken with closed lips: (closed, spoken). Their quotient, 0..1, is the measure; higher is
    better, and real footage gives the value to compare with (the detector rarely sees lips touch).

    A phone counts as closed if the lip gap is under `closed` in the frame at the middle of the phone or in one of its
    neighbours (times are no finer than a frame). It is left out where no face is found in those frames. Needs no
    network.

    Args:
        phones: (text, start, end), seconds of the clip.
        start: index in the clip of the first of the T frames.
    """
    gap = np.where(face_found(track), lip_gap(track.keypoints), np.nan)
    shut, spoken = 0, 0
    for middle in bilabial_frames(phones, fps, start, len(gap)):
        near = gap[max(middle - 1, 0) : middle + 2]
        if not np.isnan(near).all():
            spoken += 1
            shut += bool(np.nanmin(near) < closed)
    return shut, spoken


class LipEvents(NamedTuple):
    """shut of spoken p, b, m; opened of the openings between them."""

    shut: int
    spoken: int
    opened: int
    openings: int


def lip_events(
    made: PoseTrack, true: PoseTrack, phones: Sequence[tuple[str, float, float]], fps: float, start: int = 0
) -> LipEvents:
    """Closures at p, b, m (as `bilabial_closure` counts them), and openings before, between and after them.

    Wherever the real lips open (a gap over OPEN) between two p, b, m, or before the first or after the last, the drawn
    ones must open half as wide or wider. Since half of OPEN is CLOSED, no mouth that stands still can do both. phones,
    start: as in `bilabial_closure`.
    """
    shut, spoken = bilabial_closure(made, phones, fps, start)
    drawn, real = (np.where(face_found(track), lip_gap(track.keypoints), 0.0) for track in (made, true))
    opened, openings = 0, 0
    for first, last in pairwise([0, *sorted(bilabial_frames(phones, fps, start, len(made))), len(made)]):
        widest = real[first:last].max(initial=0.0)
        if widest > OPEN:
            openings += 1
            opened += bool(drawn[first:last].max() >= widest / 2)
    return LipEvents(shut, spoken, opened, openings)


def closure_score(clips: Iterable[LipEvents]) -> float | None:
    """F-score of closing and opening: the harmonic mean 2 c o / (c + o) of the share c of p, b, m that are shut and the
    share o of openings that open, both over all clips together.

    0..1; higher is better, real footage gives the value to compare with; 0 for a mouth that stands still, open or shut.
    None without a p, b, m or without an opening.
    """
    shut, spoken, opened, openings = (sum(each) for each in zip(*clips, strict=True))
    if not spoken or not openings:
        return None
    closes, opens = shut / spoken, opened / openings
    return 2 * closes * opens / (closes + opens) if closes + opens else 0.0


def bilabial_frames(phones: Sequence[tuple[str, float, float]], fps: float, start: int, frames: int) -> list[int]:
    """The frame in the middle of each p, b, m, of `frames` frames from frame `start` of the clip on."""
    middles = [
        int((begins + ends) / 2 * fps) - start
        for text, begins, ends in phones
        if text.lower().strip(_MARKS) in BILABIAL
    ]
    return [middle for middle in middles if 0 <= middle < frames]


def eye_distance(keypoints: np.ndarray) -> np.ndarray:
    """Between the middles of the eyes, pixels, at least 1: (..., 133, 2) -> (...)."""
    right, left = (keypoints[..., ring, :].mean(-2) for ring in (sk.RIGHT_EYE_RING, sk.LEFT_EYE_RING))
    return np.maximum(np.linalg.norm(left - right, axis=-1), 1.0)


def face_found(track: PoseTrack) -> np.ndarray:
    """(T,) bool."""
    return np.any(track.found[:, sk.FACE], axis=1)
