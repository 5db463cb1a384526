"""Estimate the audio-video offset of a clip: coarsely without a model, or with a lip-sync expert.

The coarse estimate correlates mouth opening with voice energy.

T frames, N windows of the expert, D features.
"""

import numpy as np

from cospeech.artifacts import AudioFeatures
from cospeech.metrics.sync import score_of, shift_distances
from cospeech.pose.track import PoseTrack

REACH = 15
"""Largest shift that is tried, in frames, either way."""
TREND = 12
"""Half width in frames of the moving average that is subtracted from both curves."""
PEAK = 2
"""Shifts within so many frames of the best one belong to the same peak."""
_UPPER, _LOWER = [84, 85, 86], [90, 89, 88]
_EYES = slice(59, 71)
_OPEN = slice(10, 40)


def mouth_opening(track: PoseTrack) -> np.ndarray:
    """Return the gap between the inner lips, (T,), in distances between the eyes."""
    eyes = track.keypoints[:, _EYES].reshape(-1, 2, 6, 2).mean(2)
    across = np.maximum(np.linalg.norm(eyes[:, 1] - eyes[:, 0], axis=-1), 1e-6)
    gap = np.linalg.norm(track.keypoints[:, _LOWER] - track.keypoints[:, _UPPER], axis=-1).mean(1)
    return gap / across


def voice_energy(features: AudioFeatures) -> np.ndarray:
    """Return the log power of each frame from about 400 to 1700 Hz, (T,), where open vowels are loud."""
    return np.log(np.exp(features.mel[..., _OPEN].astype(np.float64)).mean((1, 2)))


def av_offset(opening: np.ndarray, energy: np.ndarray) -> tuple[int | None, float]:
    """Estimate by how many frames the sound is late (negative: early), and the evidence for it.

    The offset is the shift at which the detrended curves, (T,) each, correlate most. The evidence is that correlation
    minus the highest one outside its peak. Return (None, 0) if a curve is constant or the clip is too short.
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
    """Estimate the offset in frames and its evidence from the embeddings of a lip-sync expert.

    The offset is the shift of the least distance. The evidence is Sync-C over the median distance, so that all networks
    share one scale. Return (None, 0) if the clip is too short.

    Args:
        lips_ND, speech_ND: embeddings by `metric_networks.lipsync`.
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
