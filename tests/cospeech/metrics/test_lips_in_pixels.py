"""LMD as it is used: mouths spoilt in the picture, landmarks found anew by the real detector."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from cospeech.media import read_frames
from cospeech.metrics.lips import align, eye_distance, lip_gap, lmd
from cospeech.pose import skeleton as sk
from cospeech.pose.detectors import build_detector
from cospeech.pose.track import PoseTrack

_STEADY = np.r_[sk.NOSE_BRIDGE, sk.RIGHT_EYE_RING, sk.LEFT_EYE_RING]


def paste(frame: np.ndarray, other: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """`other` in place of the mouth, with a soft rim."""
    eyes = float(eye_distance(keypoints))
    mask = np.zeros(frame.shape[:2], np.float32)
    middle = keypoints[sk.MOUTH].mean(0).astype(int).tolist()
    cv2.ellipse(mask, middle, (int(0.6 * eyes), int(0.45 * eyes)), 0, 0, 360, 1.0, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), 2)[..., None]
    return (frame * (1 - soft) + other * soft).astype(np.uint8)


def carry(picture: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`picture` moved so that the face of `source` lies on that of `target`."""
    corners = np.array([[0, 0], [100, 0], [0, 100]], np.float64)
    moved = align(source[_STEADY].astype(np.float64), target[_STEADY].astype(np.float64), corners)
    matrix = cv2.getAffineTransform(corners.astype(np.float32), moved.astype(np.float32))
    return cv2.warpAffine(picture, matrix, picture.shape[1::-1])


def blurred(frame: np.ndarray, keypoints: np.ndarray, strength: float) -> np.ndarray:
    sigma = strength * float(eye_distance(keypoints))
    return paste(frame, cv2.GaussianBlur(frame, (0, 0), sigma), keypoints)


CLIPS = ("mei-3", "kwame-3", "sofia-3", "henrik-3", "noor-1")
"""Held-out ones, of five people: what a detector makes of a spoilt mouth differs from one to the next."""


@pytest.fixture(scope="module")
def scores(repository: Path) -> dict[str, float]:
    """Means over the clips."""
    detector = build_detector("mediapipe")
    clips = [read_frames(repository / f"data/demo/clips/{name}.mp4")[30:54] for name in CLIPS]
    truths = [detector.detect_video(clip) for clip in clips]

    def score(made: list[np.ndarray], truth: PoseTrack) -> float:
        found = detector.detect_video(np.stack(made))
        return float(np.nanmean(lmd(found, truth)))

    found: dict[str, list[float]] = {"slightly blurred": [], "blurred": [], "frozen": [], "of another": []}
    for index, (frames, truth) in enumerate(zip(clips, truths, strict=True)):
        gaps = lip_gap(truth.keypoints)
        usual = int(np.argsort(gaps)[len(gaps) // 2])  # open as it mostly is
        still, pairs = truth.keypoints[usual], list(zip(frames, truth.keypoints, strict=True))
        after = (index + 1) % len(clips)
        strangers = list(zip(pairs, clips[after], truths[after].keypoints, strict=True))
        made = {
            "slightly blurred": [blurred(frame, points, 0.1) for frame, points in pairs],
            "blurred": [blurred(frame, points, 0.3) for frame, points in pairs],
            "frozen": [paste(f, carry(frames[usual], still, points), points) for f, points in pairs],
            "of another": [paste(f, carry(g, theirs, ours), ours) for (f, ours), g, theirs in strangers],
        }
        for name, pictures in made.items():
            found[name].append(score(pictures, truth))
    return {name: float(np.mean(each)) for name, each in found.items()}


def test_a_frozen_a_blurred_and_another_mouth_are_ever_worse(scores: dict[str, float]) -> None:
    """On average: of a mouth blurred away the detector makes one that stands still, and often not the usual one."""
    assert 0.01 < scores["frozen"] < scores["blurred"] < scores["of another"]
    assert 0.01 < scores["slightly blurred"] < scores["blurred"]
