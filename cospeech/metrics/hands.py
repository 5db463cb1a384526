"""Hands: are they found, do they move, are they where they belong.

No reference code of HKC and HKV is public, and the papers leave open what a hand that is not found counts. Here it
counts 0 for HKC, and the share of such hands stands beside it.

Axes: T frames, 133 COCO-WholeBody keypoints. Keypoints in pixels; confidence 0..1, 0 where a point was not found.
"""

import numpy as np

from cospeech.pose import skeleton as sk
from cospeech.pose.track import PoseTrack

_BOTH = (sk.LEFT_HAND, sk.RIGHT_HAND)
PCK_SHARE = 0.2
"""A point is right within this share of the hand's size."""


def hkc(track: PoseTrack) -> float:
    """Hand keypoint confidence: the mean over frames and the 42 hand keypoints; hands not found count 0.

    Without unit, 0..1; higher is better. Of the generated video. After CyberHost, arXiv 2409.01876.
    """
    return float(track.confidence[:, sk.HANDS].mean(dtype=np.float64))


def hand_missing(track: PoseTrack) -> float:
    """Share of hands (two a frame) that are not found: none of the 21 keypoints has confidence above 0.

    0..1; lower is better, and real footage gives the value to compare with (hands leave the picture).
    """
    return float(1 - _found(track).mean())


def hkv(track: PoseTrack) -> float | None:
    """Hand keypoint variance: how much the hands move.

    For each hand keypoint the variance of x plus that of y over the frames in which its hand is found, in squared
    shoulder widths (median of the clip); the mean over keypoints. From 0 upwards; neither high nor low is good in
    itself: compare with real footage. The paper's HKD (arXiv 2510.02617), after CyberHost, arXiv 2409.01876.
    None where no hand is found twice or a shoulder is never seen.
    """
    unit = shoulder_width(track)
    found = _found(track)
    variances = [
        track.keypoints[found[:, side]][:, hand].astype(np.float64).var(axis=0).sum(-1)
        for side, hand in enumerate(_BOTH)
        if found[:, side].sum() > 1
    ]
    return float(np.mean(variances) / unit**2) if variances and unit is not None else None


def hand_pck(made: PoseTrack, true: PoseTrack, share: float = PCK_SHARE) -> float | None:
    """Percentage (here: share) of correct hand keypoints.

    Of the hands found in the real frames, the share of keypoints that lie within `share` of the hand's size from the
    real ones; the size is the longer side of the real hand's box. A hand not found in the generated frame has none
    right. 0..1; higher is better. Simon et al., CVPR 2017. None where no real hand is found.
    """
    found, there = _found(made), _found(true)
    right, count = 0, 0
    for side, hand in enumerate(_BOTH):
        real = true.keypoints[there[:, side]][:, hand]
        drawn = made.keypoints[there[:, side]][:, hand]
        size = (real.max(1) - real.min(1)).max(1) if len(real) else np.zeros(0)
        near = np.linalg.norm(drawn - real, axis=-1) <= share * size[:, None]
        right += int((near & found[there[:, side], side][:, None]).sum())
        count += near.size
    return right / count if count else None


def shoulder_width(track: PoseTrack) -> float | None:
    """Pixels, the median over the frames in which both shoulders are found; None where there is none."""
    seen = track.found[:, sk.SHOULDERS].all(1)
    left, right = track.keypoints[seen][:, sk.LEFT_SHOULDER], track.keypoints[seen][:, sk.RIGHT_SHOULDER]
    width = float(np.median(np.linalg.norm(left - right, axis=-1))) if seen.any() else 0.0
    return width if width > 0 else None


def _found(track: PoseTrack) -> np.ndarray:
    """(T, 2) bool: left, right."""
    return np.stack([track.found[:, hand].any(1) for hand in _BOTH], 1)
