import numpy as np
import pytest

from cospeech.curation.visibility import measure_poses
from cospeech.pose.track import PoseTrack
from tests.cospeech.curation.made import good_poses


def spoilt(points: slice | list[int], frames: slice, confidence: float) -> PoseTrack:
    poses = good_poses(20)
    poses.confidence[frames, points] = confidence
    return poses


def test_a_person_well_in_the_picture() -> None:
    scores = measure_poses(good_poses(20))
    assert scores == pytest.approx(
        {"face_confidence": 0.98, "upper_body_confidence": 0.98, "upper_body_visible": 1, "hands_visible": 1}
    )


def test_an_unseen_face_lowers_its_confidence() -> None:
    assert measure_poses(spoilt(slice(23, 91), slice(0, 10), 0.0))["face_confidence"] == pytest.approx(0.49)


def test_an_elbow_out_of_the_picture_is_not_visible() -> None:
    poses = good_poses(20)
    poses.keypoints[:5, 7] = [300, 150]
    assert measure_poses(poses)["upper_body_visible"] == pytest.approx(0.75)


def test_a_doubtful_shoulder_is_not_visible() -> None:
    scores = measure_poses(spoilt([5], slice(0, 4), 0.4))
    assert scores["upper_body_visible"] == pytest.approx(0.8)
    assert scores["upper_body_confidence"] < 0.98


def test_one_hand_is_enough() -> None:
    assert measure_poses(spoilt(slice(91, 112), slice(None), 0.0))["hands_visible"] == 1
    assert measure_poses(spoilt(slice(91, 133), slice(0, 15), 0.0))["hands_visible"] == pytest.approx(0.25)


def test_wrists_count_for_confidence_only() -> None:
    scores = measure_poses(spoilt([9, 10], slice(None), 0.0))
    assert scores["upper_body_visible"] == 1
    assert scores["upper_body_confidence"] == pytest.approx(np.mean([0.98] * 4 + [0] * 2))
