"""What the keypoints of a clip tell."""

import numpy as np

from cospeech.artifacts import Poses

FACE = slice(23, 91)
UPPER_BODY = slice(5, 11)
"""Shoulders, elbows, wrists."""
TRUNK = slice(5, 9)
"""Shoulders and elbows: what must be in the picture (wrists may leave it for a moment)."""
HANDS = (slice(91, 112), slice(112, 133))
VISIBLE = 0.5
"""A point of less confidence is not visible."""


def measure_poses(poses: Poses) -> dict[str, float]:
    """Scores of one clip.

    face_confidence, upper_body_confidence: mean over frames and points. upper_body_visible: share of frames in which
    shoulders and elbows are visible and inside the picture. hands_visible: share of frames in which a hand is found.
    """
    inside = ((poses.keypoints >= 0) & (poses.keypoints <= poses.size)).all(-1)
    visible = (poses.confidence > VISIBLE) & inside
    hands = [poses.confidence[:, hand].max(1) > 0 for hand in HANDS]
    return {
        "face_confidence": float(poses.confidence[:, FACE].mean()),
        "upper_body_confidence": float(poses.confidence[:, UPPER_BODY].mean()),
        "upper_body_visible": float(visible[:, TRUNK].all(1).mean()),
        "hands_visible": float(np.mean(hands[0] | hands[1])),
    }
