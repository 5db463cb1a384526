import numpy as np
import pytest

from cospeech.pose import skeleton as sk
from cospeech.pose.cleaning import clean, fill_unseen, hide_outside, reject_stray_hands


@pytest.fixture
def body() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three frames: shoulders 100 px apart, each hand spread on its wrist, everything seen."""
    keypoints = np.full((3, 133, 2), 128, np.float32)
    keypoints[:, sk.LEFT_SHOULDER], keypoints[:, sk.RIGHT_SHOULDER] = (178, 80), (78, 80)
    keypoints[:, sk.LEFT_WRIST], keypoints[:, sk.RIGHT_WRIST] = (190, 180), (66, 180)
    for hand, wrist in ((sk.LEFT_HAND, sk.LEFT_WRIST), (sk.RIGHT_HAND, sk.RIGHT_WRIST)):
        keypoints[:, hand] = keypoints[:, [wrist]] + np.linspace(0, 20, 21)[None, :, None]
    return keypoints, np.ones((3, 133), np.float32), np.ones((3, 2), np.float32)


def test_good_hands_stay(body: tuple) -> None:
    assert (reject_stray_hands(*body) == 1).all()


def test_a_hand_on_the_other_wrist_goes(body: tuple) -> None:
    keypoints, confidence, own_side = body
    keypoints[1, sk.LEFT_HAND] = keypoints[1, sk.RIGHT_HAND] + 1
    cleaned = reject_stray_hands(keypoints, confidence, own_side)
    assert (cleaned[1, sk.LEFT_HAND] == 0).all()
    assert (cleaned[1, sk.RIGHT_HAND] == 1).all()
    assert (cleaned[[0, 2]] == 1).all()


def test_of_folded_hands_the_one_that_looks_its_side_stays(body: tuple) -> None:
    keypoints, confidence, own_side = body
    keypoints[:, sk.LEFT_WRIST], keypoints[:, sk.RIGHT_WRIST] = (134, 180), (120, 180)
    keypoints[:, sk.HANDS] = 125 + np.arange(42)[None, :, None] % 21
    keypoints[:, sk.HANDS, 1] += 55
    own_side[:] = (0.1, 0.9)
    cleaned = reject_stray_hands(keypoints, confidence, own_side)
    assert (cleaned[:, sk.LEFT_HAND] == 0).all()
    assert (cleaned[:, sk.RIGHT_HAND] == 1).all()
    without_opinion = reject_stray_hands(keypoints, confidence, np.full((3, 2), 0.5))
    assert ((without_opinion[:, sk.HANDS] == 1).sum(axis=1) == 21).all()


def test_points_outside_the_picture_are_not_seen() -> None:
    keypoints = np.array([[[0, 0], [256, 128], [-1, 5], [5, 129], [np.nan, np.nan]]], np.float32)
    assert hide_outside(keypoints, np.ones((1, 5)), 256, 128).tolist() == [[1, 1, 0, 0, 0]]


def test_unseen_points_lie_at_their_last_sighting_else_their_next(body: tuple) -> None:
    keypoints, confidence = (np.repeat(each, 2, axis=0) for each in body[:2])
    keypoints[:, sk.NOSE, 0] = [np.nan, 1, np.nan, np.nan, 4, np.nan]
    filled = fill_unseen(keypoints, confidence, 256, 256)
    assert filled[:, sk.NOSE, 0].tolist() == [1, 1, 1, 1, 4, 4]
    assert filled.dtype == np.float32


def test_a_refused_hand_lies_where_it_was(body: tuple) -> None:
    keypoints, confidence, own_side = body
    before = keypoints[0, sk.LEFT_HAND].copy()
    keypoints[1, sk.LEFT_HAND] = keypoints[1, sk.RIGHT_HAND] + 1
    filled, sure = clean(keypoints, confidence, own_side, 256, 256)
    assert (sure[1, sk.LEFT_HAND] == 0).all()
    assert (filled[1, sk.LEFT_HAND] == before).all()


def test_what_is_never_seen_is_finite(body: tuple) -> None:
    keypoints, confidence, own_side = body
    confidence[:, sk.LEFT_HAND] = 0
    keypoints[:, sk.FACE], confidence[:, sk.FACE] = np.nan, 0
    filled, _ = clean(keypoints, confidence, own_side, 256, 128)
    assert (filled[:, sk.LEFT_HAND] == (190, 180)).all()
    assert (filled[:, sk.FACE] == (128, 64)).all()
    nothing, sure = clean(np.full((2, 133, 2), np.nan), np.zeros((2, 133)), np.full((2, 2), 0.5), 256, 128)
    assert np.isfinite(nothing).all()
    assert not sure.any()
