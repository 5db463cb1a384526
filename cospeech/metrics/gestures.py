"""Gestures: do hands move with the voice, and not always alike.

Axes: T frames, Q coordinates of the points that move, in shoulder widths; N stretches.
"""

import numpy as np

SIGMA = 0.1
"""Seconds; how near to a beat is near."""
_LEAST_GAP = 0.2
"""Seconds; two beats are at least this far apart."""
_WIDTH = 2
"""Frames either way over which speed and loudness are smoothed."""


def beat_consistency(motion_beats: np.ndarray, voice_beats: np.ndarray, sigma: float = SIGMA) -> float | None:
    """How near to each beat of the motion a beat of the voice is.

    Mean over motion beats of exp(-d^2 / (2 sigma^2)), d the seconds to the nearest voice beat. Without unit, 0..1; near
    real footage is good (hands that twitch all the time come near every beat of the voice). Li et al., "AI
    Choreographer", ICCV 2021; for gestures Liu et al., "BEAT", ECCV 2022. Seconds, (M,) and (N,); None where either has
    no beat.
    """
    if not len(motion_beats) or not len(voice_beats):
        return None
    nearest = np.abs(motion_beats[:, None] - voice_beats[None]).min(1)
    return float(np.exp(-np.square(nearest) / (2 * sigma**2)).mean())


def motion_beats(points_TQ: np.ndarray, fps: float) -> np.ndarray:
    """Seconds at which the mean speed of the points has a local minimum: where a stroke ends and the next begins.

    (T, Q) with x and y of a point side by side -> (M,).
    """
    steps = np.diff(points_TQ.reshape(len(points_TQ), -1, 2), axis=0)
    speed = _smooth(np.linalg.norm(steps, axis=-1).mean(1))
    return (_peaks(-speed, fps) + 0.5) / fps  # the step of row i ends half a frame after the middle of frame i


def voice_beats(mel_TMC: np.ndarray, fps: float) -> np.ndarray:
    """Seconds of onsets: local maxima, above their mean, of the rise of the log-mel bands (spectral flux, Bello et al.,
    IEEE TSAP 2005) from frame to frame. (T, M, C) natural logarithm -> (N,)."""
    rise = np.diff(mel_TMC.mean(1), axis=0).clip(min=0).mean(1)
    strength = _smooth(rise)
    peaks = _peaks(strength, fps)
    return (peaks[strength[peaks] > strength.mean()] + 0.5) / fps


def diversity(stretches_NTQ: np.ndarray) -> float | None:
    """How different the motion of different stretches is: the mean L1 distance of all pairs.

    Mean over pairs, frames and coordinates of |a - b|. Shoulder widths, from 0 upwards, 0 where all move alike; near
    real footage is good. After Li et al., "Audio2Gestures", ICCV 2021. (N, T, Q) of equal length; None under two.
    """
    count = len(stretches_NTQ)
    if count < 2:
        return None
    flat = stretches_NTQ.reshape(count, -1).astype(np.float64)
    ordered = np.sort(flat, axis=0)  # sum of |a - b| over pairs: each value's rank says how often it counts
    ranks = 2 * np.arange(count) - count + 1
    return float((ranks[:, None] * ordered).sum(0).mean() / (count * (count - 1) / 2))


def _smooth(curve: np.ndarray) -> np.ndarray:
    window = np.hanning(2 * _WIDTH + 3)[1:-1]
    return np.convolve(np.pad(curve, _WIDTH, mode="edge"), window / window.sum(), mode="valid")


def _peaks(curve: np.ndarray, fps: float) -> np.ndarray:
    """Indices of local maxima; of two nearer than the least gap the higher one stays."""
    inner = np.flatnonzero((curve[1:-1] > curve[:-2]) & (curve[1:-1] >= curve[2:])) + 1
    kept: list[int] = []
    for index in inner[np.argsort(-curve[inner], kind="stable")]:
        if all(abs(index - other) >= _LEAST_GAP * fps for other in kept):
            kept.append(int(index))
    return np.array(sorted(kept), dtype=np.int64)
