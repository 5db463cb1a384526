"""How far sound and lips are out of step: coarsely, without a model, or by a lip-sync expert.

The coarse way compares the opening of the mouth with the energy of the voice.
"""

import numpy as np

from cospeech.artifacts import AudioFeatures
from cospeech.metrics.sync import score_of, shift_distances
from cospeech.pose.track import PoseTrack

REACH = 15
"""Shifts that are tried, frames either way."""
TREND = 12
"""Slower changes than this many frames either way are taken out of both curves."""
PEAK = 2
"""Shifts this near to the best one belong to the same peak."""
_UPPER, _LOWER = [84, 85, 86], [90, 89, 88]
_EYES = slice(59, 71)
_OPEN = slice(10, 40)


def mouth_opening(track: PoseTrack) -> np.ndarray:
    """(T,) gap between the inner lips in distances between the eyes."""
    eyes = track.keypoints[:, _EYES].reshape(-1, 2, 6, 2).mean(2)
    across = np.maximum(np.linalg.norm(eyes[:, 1] - eyes[:, 0], axis=-1), 1e-6)
    gap = np.linalg.norm(track.keypoints[:, _LOWER] - track.keypoints[:, _UPPER], axis=-1).mean(1)
    return gap / across


def voice_energy(features: AudioFeatures) -> np.ndarray:
    """(T,) logarithm of the power in the frame between about 400 and 1700 Hz, where open vowels are loud."""
    return np.log(np.exp(features.mel[..., _OPEN].astype(np.float64)).mean((1, 2)))


def av_offset(opening: np.ndarray, energy: np.ndarray) -> tuple[int | None, float]:
    """Frames by which the sound is late (early: negative), and how far that shift stands out.

    The shift of the highest correlation between the two curves, trends removed; the evidence is that correlation minus
    the highest one away from its peak. (None, 0) where a curve does not move or the clip is too short to shift.
    """
    moving, sounding = _detrended(opening), _detrended(energy)
    correlations = np.full(2 * REACH + 1, np.nan)
    for index, shift in enumerate(range(-REACH, REACH + 1)):
        late = sounding[max(shift, 0) : len(sounding) + min(shift, 0)]
        early = moving[max(-shift, 0) : len(moving) - max(shift, 0)]
        if len(early) >= REACH and early.std() > 1e-6 and late.std() > 1e-6:
            correlations[index] = np.corrcoef(early, late)[0, 1]
    if np.isnan(correlations).any():
        return None, 0.0
    best = int(correlations.argmax())
    apart = np.abs(np.arange(len(correlations)) - best) > PEAK
    evidence = correlations[best] - max(float(correlations[apart].max()), 0.0)
    return best - REACH, float(evidence)


def expert_offset(lips_ND: np.ndarray, speech_ND: np.ndarray) -> tuple[int | None, float]:
    """The same by the embeddings of a lip-sync expert (`metric_networks.lipsync`): the shift of the least distance, and
    how far that lies below the median, as a share of it (Sync-C over the median): of one scale for every network.
    (None, 0) where the clip is too short to shift.
    """
    if len(lips_ND) <= 2 * REACH:
        return None, 0.0
    distances = shift_distances(lips_ND, speech_ND, reach=REACH)
    score, middle = score_of(distances), float(np.median(distances))
    return score.offset, score.confidence / middle if middle > 0 else 0.0


def _detrended(curve: np.ndarray) -> np.ndarray:
    width = 2 * TREND + 1
    smooth = np.convolve(np.pad(curve, TREND, mode="edge"), np.ones(width) / width, mode="valid")
    return curve - smooth
