"""What every detector's raw keypoints go through. T frames; NaN coordinates mean that a point was not reported."""

import numpy as np

from cospeech.pose import skeleton as sk

STRAY = 0.6  # a hand's wrist may lie this many shoulder widths from the body's wrist
SAME_HAND = 0.12  # two hands nearer than this (mean over points, shoulder widths) are one hand seen twice

_SIDES = ((sk.LEFT_HAND, sk.LEFT_WRIST), (sk.RIGHT_HAND, sk.RIGHT_WRIST))


def clean(
    keypoints: np.ndarray, confidence: np.ndarray, own_side: np.ndarray, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """Finite keypoints (T, 133, 2) float32 and confidence (T, 133) float32 in 0..1 from a detector's raw ones.

    own_side: (T, 2), how surely the hand reported as left, as right, is one, in 0..1. width, height: of the picture.
    """
    confidence = reject_stray_hands(keypoints, confidence, own_side)
    confidence = hide_outside(keypoints, confidence, width, height)
    return fill_unseen(keypoints, confidence, width, height), confidence


def reject_stray_hands(keypoints: np.ndarray, confidence: np.ndarray, own_side: np.ndarray) -> np.ndarray:
    """Confidence (T, 133) with 0 for hands that are not on their own arm.

    A hand is refused where it lies far from its side's wrist, and where both sides report the same hand (folded hands):
    then the one that looks less like its side goes, or the one farther from its wrist if both look alike.
    """
    cleaned = confidence.copy()
    width = np.linalg.norm(keypoints[:, sk.LEFT_SHOULDER] - keypoints[:, sk.RIGHT_SHOULDER], axis=-1)
    if not np.isfinite(width).any():
        return cleaned
    unit = np.nanmedian(width)  # of the clip: a turned body has narrow shoulders for a while
    away = np.stack([np.linalg.norm(keypoints[:, hand[0]] - keypoints[:, wrist], axis=-1) for hand, wrist in _SIDES])
    apart = np.linalg.norm(keypoints[:, sk.LEFT_HAND] - keypoints[:, sk.RIGHT_HAND], axis=-1).mean(axis=-1)
    for side, (hand, _) in enumerate(_SIDES):
        likeness, other = own_side[:, side], own_side[:, 1 - side]
        worse = (likeness < other) | ((likeness == other) & (away[side] > away[1 - side]))
        refused = (away[side] > STRAY * unit) | ((apart < SAME_HAND * unit) & worse)
        cleaned[np.ix_(refused, hand)] = 0
    return cleaned


def hide_outside(keypoints: np.ndarray, confidence: np.ndarray, width: int, height: int) -> np.ndarray:
    """Confidence (T, 133) with 0 where a point lies outside the picture: detectors guess, they did not see it."""
    x, y = keypoints[..., 0], keypoints[..., 1]
    with np.errstate(invalid="ignore"):
        inside = (x >= 0) & (x <= width) & (y >= 0) & (y <= height)
    return np.where(inside, confidence, 0).astype(np.float32)


def fill_unseen(keypoints: np.ndarray, confidence: np.ndarray, width: int, height: int) -> np.ndarray:
    """Finite keypoints (T, 133, 2) float32: a point not reported lies where it was last, else where it will be next.

    Body and feet outside the picture keep the detector's estimate. A hand or face of confidence 0 counts as not
    reported. A hand never seen lies on its wrist, any other point never reported in the middle of the picture.
    """
    points = keypoints.astype(np.float32)
    for part in (sk.FACE, sk.LEFT_HAND, sk.RIGHT_HAND):
        points[np.ix_(confidence[:, part].max(axis=1) == 0, part)] = np.nan
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
    return np.where(np.isnan(points), np.array([width, height], np.float32) / 2, points).astype(np.float32)
