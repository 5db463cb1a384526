"""What every detector's raw keypoints go through. T frames; NaN coordinates mean that a point was not reported."""

from dataclasses import replace

import numpy as np

from cospeech.pose import skeleton as sk
from cospeech.pose.track import PoseTrack

STRAY = 0.6  # a hand's wrist may lie this many shoulder widths from the body's wrist
SAME_HAND = 0.12  # two hands nearer than this (mean over points, shoulder widths) are one hand seen twice

_SIDES = ((sk.LEFT_HAND, sk.LEFT_WRIST), (sk.RIGHT_HAND, sk.RIGHT_WRIST))


def clean(raw: PoseTrack, own_side: np.ndarray) -> PoseTrack:
    """Finite keypoints and their confidence from a detector's raw ones.

    own_side: (T, 2), how surely the hand reported as left, as right, is one, in 0..1.
    """
    return fill_unseen(hide_outside(reject_stray_hands(raw, own_side)))


def reject_stray_hands(raw: PoseTrack, own_side: np.ndarray) -> PoseTrack:
    """Confidence 0 for hands that are not on their own arm.

    A hand is refused where it lies far from its side's wrist, and where both sides report the same hand (folded hands):
    then the one that looks less like its side goes, or the one farther from its wrist if both look alike.
    """
    keypoints, cleaned = raw.keypoints, raw.confidence.copy()
    width = np.linalg.norm(keypoints[:, sk.LEFT_SHOULDER] - keypoints[:, sk.RIGHT_SHOULDER], axis=-1)
    if not np.isfinite(width).any():
        return raw
    unit = np.nanmedian(width)  # of the clip: a turned body has narrow shoulders for a while
    away = np.stack([np.linalg.norm(keypoints[:, hand[0]] - keypoints[:, wrist], axis=-1) for hand, wrist in _SIDES])
    apart = np.linalg.norm(keypoints[:, sk.LEFT_HAND] - keypoints[:, sk.RIGHT_HAND], axis=-1).mean(axis=-1)
    for side, (hand, _) in enumerate(_SIDES):
        likeness, other = own_side[:, side], own_side[:, 1 - side]
        worse = (likeness < other) | ((likeness == other) & (away[side] > away[1 - side]))
        refused = (away[side] > STRAY * unit) | ((apart < SAME_HAND * unit) & worse)
        cleaned[np.ix_(refused, hand)] = 0
    return replace(raw, confidence=cleaned)


def hide_outside(raw: PoseTrack) -> PoseTrack:
    """Confidence 0 where a point lies outside the picture: detectors guess, they did not see it."""
    with np.errstate(invalid="ignore"):
        inside = ((raw.keypoints >= 0) & (raw.keypoints <= raw.size[::-1])).all(-1)
    return replace(raw, confidence=np.where(inside, raw.confidence, 0).astype(np.float32))


def fill_unseen(track: PoseTrack) -> PoseTrack:
    """Finite keypoints: a point not reported lies where it was last, else where it will be next.

    Body and feet outside the picture keep the detector's estimate. A hand or face of confidence 0 counts as not
    reported. A hand never seen lies on its wrist, any other point never reported in the middle of the picture.
    """
    points = track.keypoints.astype(np.float32)
    for part in (sk.FACE, sk.LEFT_HAND, sk.RIGHT_HAND):
        points[np.ix_(~track.found[:, part].any(axis=1), part)] = np.nan
    rows = np.arange(len(points))[:, None]
    known = np.isfinite(points).all(axis=-1)
    last = np.maximum.accumulate(np.where(known, rows, -1), axis=0)
    following = np.minimum.accumulate(np.where(known, rows, len(points))[::-1], axis=0)[::-1]
    source = np.where(last >= 0, last, following)
    never = source == len(points)
    points = np.take_along_axis(points, np.where(never, 0, source)[..., None], axis=0)
    points[never] = np.nan
    for hand, wrist in _SIDES:
        points[:, hand] = np.where(np.isnan(points[:, hand]), points[:, [wrist]], points[:, hand])
    middle = np.array(track.size[::-1], np.float32) / 2
    return replace(track, keypoints=np.where(np.isnan(points), middle, points).astype(np.float32))
