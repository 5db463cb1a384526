"""Score a clip by its keypoints."""

from cospeech.pose import skeleton as sk
from cospeech.pose.track import CLEARLY_VISIBLE, PoseTrack

_FACE, _ARMS = slice(23, 91), slice(5, 11)  # slices: the mean of a copy adds up in another order
_TRUNK = sk.ARMS[:4]
"""Shoulders and elbows: what must be in the picture (wrists may leave it for a moment)."""


def measure_poses(track: PoseTrack) -> dict[str, float]:
    """Score one clip.

    face_confidence, upper_body_confidence: mean over frames and points. upper_body_visible: share of frames in which
    shoulders and elbows are visible and inside the picture. hands_visible: share of frames in which a hand is found.
    """
    inside = ((track.keypoints >= 0) & (track.keypoints <= track.size[::-1])).all(-1)
    visible = (track.confidence > CLEARLY_VISIBLE) & inside
    return {
        "face_confidence": float(track.confidence[:, _FACE].mean()),
        "upper_body_confidence": float(track.confidence[:, _ARMS].mean()),
        "upper_body_visible": float(visible[:, _TRUNK].all(1).mean()),
        "hands_visible": float(track.found[:, sk.HANDS].any(1).mean()),
    }
