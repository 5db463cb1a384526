import time

import numpy as np
import pytest

from cospeech.pose import skeleton as sk
from cospeech.pose.drawing import draw_skeletons, overlay
from cospeech.pose.track import PoseTrack

STYLES = ("dwpose", "conditioning")


def drawn(points: np.ndarray, confidence: np.ndarray, size: int, style: str = "conditioning") -> np.ndarray:
    """(S, S, 3), of one frame: (133, 2) and (133,)."""
    return draw_skeletons(PoseTrack(points[None], confidence[None], (size, size)), style)[0]


@pytest.fixture
def points() -> np.ndarray:
    return np.random.default_rng(0).uniform(40, 216, (133, 2)).astype(np.float32)


@pytest.mark.parametrize("style", STYLES)
def test_unseen_points_are_not_drawn(points: np.ndarray, style: str) -> None:
    confidence = np.zeros(133, np.float32)
    assert not drawn(points, confidence, 256, style).any()
    confidence[[sk.LEFT_SHOULDER, sk.LEFT_ELBOW]] = 0.29
    assert not drawn(points, confidence, 256, style).any()
    confidence[[sk.LEFT_SHOULDER, sk.LEFT_ELBOW]] = 0.31
    assert drawn(points, confidence, 256, style).any()


def test_a_limb_lies_between_its_points_in_its_colour() -> None:
    points, confidence = np.zeros((133, 2), np.float32), np.zeros(133, np.float32)
    points[sk.LEFT_ELBOW], points[sk.LEFT_WRIST] = (50, 100), (150, 100)
    confidence[[sk.LEFT_ELBOW, sk.LEFT_WRIST]] = 1
    picture = drawn(points, confidence, 256)
    assert tuple(picture[100, 100]) == tuple(sk.BODY_COLOURS[5])
    ys, xs = picture.any(axis=2).nonzero()
    assert (xs.min() + xs.max() + 1) / 2 == pytest.approx(100, abs=0.5)  # no half-pixel shift: edges are symmetric
    assert (ys.min() + ys.max() + 1) / 2 == pytest.approx(100, abs=0.5)


def test_left_and_right_hand_differ_only_in_the_conditioning_style() -> None:
    def hand(part: np.ndarray, style: str) -> np.ndarray:
        points, confidence = np.zeros((133, 2), np.float32), np.zeros(133, np.float32)
        points[part] = np.random.default_rng(1).uniform(80, 160, (21, 2))
        confidence[part] = 1
        return drawn(points, confidence, 256, style)

    assert (hand(sk.LEFT_HAND, "dwpose") == hand(sk.RIGHT_HAND, "dwpose")).all()
    assert (hand(sk.LEFT_HAND, "conditioning") != hand(sk.RIGHT_HAND, "conditioning")).any()


@pytest.mark.parametrize("style", STYLES)
def test_size_only_scales(points: np.ndarray, style: str) -> None:
    confidence = np.ones(133, np.float32)
    small = drawn(points, confidence, 256, style).astype(float)
    large = drawn(points * 2, confidence, 512, style).reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.corrcoef(small.ravel(), large.ravel())[0, 1] > 0.9  # widths are whole pixels, so not exactly


def test_far_outliers_do_no_harm(points: np.ndarray) -> None:
    points[sk.LEFT_WRIST] = (1e7, -1e7)
    assert drawn(points, np.ones(133, np.float32), 256).shape == (256, 256, 3)


def test_input_is_checked(points: np.ndarray) -> None:
    with pytest.raises(ValueError, match="style 'stick'"):
        drawn(points, np.ones(133), 256, "stick")
    with pytest.raises(ValueError, match="got 17 in 256x256"):
        drawn(points[:17], np.ones(17), 256)
    with pytest.raises(ValueError, match="64x32"):
        draw_skeletons(PoseTrack(points[None], np.ones((1, 133)), (32, 64)))


def test_overlay_keeps_the_frame_where_nothing_is_drawn(points: np.ndarray) -> None:
    frames = np.full((2, 256, 256, 3), 200, np.uint8)
    track = PoseTrack(np.stack([points, points]), np.repeat([[0.0], [1.0]], 133, 1), (256, 256))
    plain, changed = overlay(frames, track)
    assert (plain == 150).all()
    assert (changed != 150).any()


def test_it_is_fast(points: np.ndarray) -> None:
    """Under 3 ms of processor time a picture; ten times that fails here, for a busy machine."""
    confidence = np.ones(133, np.float32)
    begun = time.process_time()
    for _ in range(20):
        drawn(points, confidence, 256)
    assert (time.process_time() - begun) / 20 < 0.03
