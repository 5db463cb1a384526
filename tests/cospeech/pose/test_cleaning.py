import numpy as np
import pytest

from cospeech.pose import skeleton as sk
from cospeech.pose.cleaning import clean, fill_unseen, hide_outside, reject_stray_hands
from cospeech.pose.track import PoseTrack

Body = tuple[PoseTrack, np.ndarray]
"""A detector's raw track, and own_side."""


@pytest.fixture
def body() -> Body:
    """Three frames: shoulders 100 px apart, each hand spread on its wrist, everything seen."""
    keypoints = np.full((3, 133, 2), 128, np.float32)
    keypoints[:, sk.LEFT_SHOULDER], keypoints[:, sk.RIGHT_SHOULDER] = (178, 80), (78, 80)
    keypoints[:, sk.LEFT_WRIST], keypoints[:, sk.RIGHT_WRIST] = (190, 180), (66, 180)
    for hand, wrist in ((sk.LEFT_HAND, sk.LEFT_WRIST), (sk.RIGHT_HAND, sk.RIGHT_WRIST)):
        keypoints[:, hand] = keypoints[:, [wrist]] + np.linspace(0, 20, 21)[None, :, None]
    return PoseTrack(keypoints, np.ones((3, 133), np.float32), (256, 256)), np.ones((3, 2), np.float32)


def test_good_hands_stay(body: Body) -> None:
    assert (reject_stray_hands(*body).confidence == 1).all()


def test_a_hand_on_the_other_wrist_goes(body: Body) -> None:
    raw, own_side = body
    raw.keypoints[1, sk.LEFT_HAND] = raw.keypoints[1, sk.RIGHT_HAND] + 1
    cleaned = reject_stray_hands(raw, own_side).confidence
    assert (cleaned[1, sk.LEFT_HAND] == 0).all()
    assert (cleaned[1, sk.RIGHT_HAND] == 1).all()
    assert (cleaned[[0, 2]] == 1).all()


def test_of_folded_hands_the_one_that_looks_its_side_stays(body: Body) -> None:
    raw, own_side = body
    keypoints = raw.keypoints
    keypoints[:, sk.LEFT_WRIST], keypoints[:, sk.RIGHT_WRIST] = (134, 180), (120, 180)
    keypoints[:, sk.HANDS] = 125 + np.arange(42)[None, :, None] % 21
    keypoints[:, sk.HANDS, 1] += 55
    own_side[:] = (0.1, 0.9)
    cleaned = reject_stray_hands(raw, own_side).confidence
    assert (cleaned[:, sk.LEFT_HAND] == 0).all()
    assert (cleaned[:, sk.RIGHT_HAND] == 1).all()
    without_opinion = reject_stray_hands(raw, np.full((3, 2), 0.5)).confidence
    assert ((without_opinion[:, sk.HANDS] == 1).sum(axis=1) == 21).all()


def test_points_outside_the_picture_are_not_seen() -> None:
    keypoints = np.array([[[0, 0], [256, 128], [-1, 5], [5, 129], [np.nan, np.nan]]], np.float32)
    assert hide_outside(PoseTrack(keypoints, np.ones((1, 5)), (128, 256))).found.tolist() == [[1, 1, 0, 0, 0]]


def test_unseen_points_lie_at_their_last_sighting_else_their_next(body: Body) -> None:
    raw = body[0][[0, 0, 1, 1, 2, 2]]
    raw.keypoints[:, sk.NOSE, 0] = [np.nan, 1, np.nan, np.nan, 4, np.nan]
    filled = fill_unseen(raw).keypoints
    assert filled[:, sk.NOSE, 0].tolist() == [1, 1, 1, 1, 4, 4]
    assert filled.dtype == np.float32


def test_a_refused_hand_lies_where_it_was(body: Body) -> None:
    raw, own_side = body
    before = raw.keypoints[0, sk.LEFT_HAND].copy()
    raw.keypoints[1, sk.LEFT_HAND] = raw.keypoints[1, sk.RIGHT_HAND] + 1
    track = clean(raw, own_side)
    assert not track.found[1, sk.LEFT_HAND].any()
    assert (track.keypoints[1, sk.LEFT_HAND] == before).all()


def test_what_is_never_seen_is_finite(body: Body) -> None:
    raw, own_side = body
    raw.confidence[:, sk.LEFT_HAND] = 0
    raw.keypoints[:, sk.FACE], raw.confidence[:, sk.FACE] = np.nan, 0
    filled = clean(PoseTrack(raw.keypoints, raw.confidence, (128, 256)), own_side).keypoints
    assert (filled[:, sk.LEFT_HAND] == (190, 180)).all()
    assert (filled[:, sk.FACE] == (128, 64)).all()
    nothing = clean(PoseTrack(np.full((2, 133, 2), np.nan), np.zeros((2, 133)), (128, 256)), np.full((2, 2), 0.5))
    assert np.isfinite(nothing.keypoints).all()
    assert not nothing.found.any()
