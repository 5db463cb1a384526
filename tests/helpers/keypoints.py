"""A made-up person, for tests of measures over keypoints."""

import numpy as np

from cospeech.pose import skeleton as sk
from cospeech.pose.track import PoseTrack


def unit_track(points_TK2: np.ndarray, confidence_TK: np.ndarray | None = None) -> PoseTrack:
    """Points in 0..1 as a track; all of them seen if not said otherwise."""
    confidence = np.ones(points_TK2.shape[:2], np.float32) if confidence_TK is None else confidence_TK
    return PoseTrack(points_TK2, confidence, (1, 1))


def person(frames: int = 20, seed: int = 0) -> PoseTrack:
    """In a picture of 256 pixels a side: shoulders 80 px apart, eyes 30 px, hands and lips that move."""
    rng = np.random.default_rng(seed)
    keypoints = np.repeat(rng.uniform(40, 216, (1, 133, 2)), frames, 0)
    keypoints[:, sk.LEFT_SHOULDER], keypoints[:, sk.RIGHT_SHOULDER] = (168, 180), (88, 180)
    ring = np.array([(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 6, endpoint=False)])
    keypoints[:, sk.RIGHT_EYE_RING], keypoints[:, sk.LEFT_EYE_RING] = ring * 4 + (113, 60), ring * 4 + (143, 60)
    keypoints[:, sk.NOSE_BRIDGE] = [(128, 60 + 5 * i) for i in range(4)]
    keypoints[:, sk.NOSE_BASE] = [(120 + 4 * i, 82) for i in range(5)]
    angles = np.linspace(np.pi, 3 * np.pi, 12, endpoint=False)
    keypoints[:, sk.OUTER_LIPS] = np.stack([128 + 14 * np.cos(angles), 98 + 7 * np.sin(angles)], -1)
    time = np.arange(frames)
    opening = 4 + 4 * np.sin(time / 2)
    angles = np.linspace(np.pi, 3 * np.pi, 8, endpoint=False)
    inner = np.stack([128 + 10 * np.cos(angles) + 0 * time[:, None], 98 + np.outer(opening, np.sin(angles))], -1)
    keypoints[:, sk.INNER_LIPS] = inner
    swing = np.stack([12 * np.sin(time / 3), 8 * np.cos(time / 4)], -1)
    for hand, centre in ((sk.LEFT_HAND, (180, 200)), (sk.RIGHT_HAND, (76, 200))):
        keypoints[:, hand] = centre + rng.uniform(-15, 15, (21, 2)) + swing[:, None]
    return PoseTrack(keypoints.astype(np.float32), np.full((frames, 133), 0.9, np.float32), (256, 256))
