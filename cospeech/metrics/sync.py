"""Lip-sync by an audio/lip embedding: Sync-C, Sync-D and the offset of SyncNet.

Chung and Zisserman, "Out of time: automated lip sync in the wild", ACCV 2016 workshop. The embeddings are those of the
official SyncNet or of an expert trained on the corpus at hand; scores compare only under one and the same network.

Axes: N windows of lips, M windows of speech, D embedding.
"""

from dataclasses import dataclass

import numpy as np

REACH = 15
"""Shifts that are tried, frames either way."""


@dataclass(frozen=True)
class SyncScore:
    """distance (Sync-D): least mean distance over all shifts; for unit vectors 0..2, lower is better.
    confidence (Sync-C): median over the shifts minus the least; same unit, 0..2, higher is better.
    offset: the shift of the least, frames, -15..15; positive where the audio is late; 0 is right."""

    confidence: float
    distance: float
    offset: int


def sync_score(lips_ND: np.ndarray, speech_MD: np.ndarray, start: int = 0, reach: int = REACH) -> SyncScore:
    """Sync-C, Sync-D and offset of a stretch of lips in the speech of its clip.

    Args:
        lips_ND: row i belongs to the moment of speech row `start` + i.
        speech_MD: of the whole clip, so that a short stretch can be tried at every shift.

    Raises:
        ValueError: some shift leaves no window to compare.
    """
    return score_of(shift_distances(lips_ND, speech_MD, start, reach))


def score_of(distances: np.ndarray) -> SyncScore:
    """The score of mean distances at the shifts -reach..reach, (2 * reach + 1,)."""
    place = int(distances.argmin())
    least = float(distances[place])
    return SyncScore(float(np.median(distances)) - least, least, place - len(distances) // 2)


def shift_distances(lips_ND: np.ndarray, speech_MD: np.ndarray, start: int = 0, reach: int = REACH) -> np.ndarray:
    """Mean Euclidean distance between lips and the speech `shift` frames later, for shift -reach..reach.

    Windows whose speech would lie outside the clip are left out for that shift. (2 * reach + 1,).
    """
    means = []
    for shift in range(-reach, reach + 1):
        rows = np.arange(len(lips_ND)) + start + shift
        inside = (rows >= 0) & (rows < len(speech_MD))
        if not inside.any():
            raise ValueError(
                f"{len(lips_ND)} windows of lips from {start} have no speech among {len(speech_MD)} windows "
                f"at a shift of {shift} frames"
            )
        means.append(np.linalg.norm(lips_ND[inside] - speech_MD[rows[inside]], axis=1).mean(dtype=np.float64))
    return np.array(means)
