"""Control by known effects: a half-amplitude mouth has slope 0.5, a frozen one 0."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import linregress

from cospeech.metrics.control import _RIGID, _RIGID_3D, QUANTITIES, brows, control, eyelids, head_angles, mouth_width
from cospeech.metrics.lips import lip_gap
from cospeech.pose import skeleton as sk
from cospeech.pose.track import PoseTrack
from tests.helpers.keypoints import person

BY_KEY = {quantity.key: quantity for quantity in QUANTITIES}
FRAMES = 40


def mover(frames: int = FRAMES) -> PoseTrack:
    """A person who moves everything that is measured."""
    track = person(frames)
    keypoints, time = track.keypoints, np.arange(frames)[:, None]
    keypoints[:, [sk.MOUTH_RIGHT], 0] -= 2 * np.sin(time / 3)
    keypoints[:, sk.RIGHT_EYE_RING[[1, 2]], 1] += 2 * np.sin(time / 4)
    keypoints[:, np.r_[sk.RIGHT_BROW, sk.LEFT_BROW], 1] -= 3 * np.cos(time / 5)
    t = time[:, 0]
    keypoints[:, _RIGID] = projected(12 * np.sin(t / 3), 9 * np.sin(t / 4), 7 * np.cos(t / 5))
    for hand in (sk.LEFT_HAND, sk.RIGHT_HAND):
        keypoints[:, hand[1:]] += 3 * np.random.default_rng(1).normal(size=(frames, 20, 2))
    return track


def half(points: list[int] | np.ndarray) -> PoseTrack:
    """As `mover`, but these keypoints move half as much about their middle."""
    track = mover()
    keypoints = track.keypoints
    keypoints[:, points] = (keypoints[:, points] + keypoints[:, points].mean(0)) / 2
    return track


def projected(yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray) -> np.ndarray:
    """The rigid points of the canonical face, turned: (T, 17, 2)."""
    axes = np.stack([pitch, yaw, -roll], -1)  # about x, y up and z to the viewer; a nose that goes up turns about -x
    turns = Rotation.from_euler("xyz", axes * (-1, 1, 1), degrees=True).as_matrix()
    turned = np.einsum("tij,pj->tpi", turns, _RIGID_3D)
    return (turned[..., :2] * (1, -1)) * 3 + (128, 70)


@pytest.mark.parametrize("key", BY_KEY)
def test_what_does_all_that_is_asked_has_slope_and_correlation_one(key: str) -> None:
    found = control(BY_KEY[key], mover(), mover())
    assert found.slope == pytest.approx(1)
    assert found.correlation == pytest.approx(1)


@pytest.mark.parametrize("key", BY_KEY)
def test_a_frozen_picture_has_slope_and_correlation_zero(key: str) -> None:
    found = control(BY_KEY[key], mover()[[0] * FRAMES], mover())
    assert (found.slope, found.correlation) == (pytest.approx(0, abs=1e-6), pytest.approx(0, abs=1e-6))


def test_a_mouth_of_half_amplitude_has_slope_one_half() -> None:
    track = half(sk.INNER_LIPS)
    found = control(BY_KEY["mouth_opening"], track, mover())
    assert found.slope == pytest.approx(0.5, abs=0.01)
    assert found.correlation == pytest.approx(1, abs=0.01)
    for key in ("mouth_width", "eyelids", "index_tip"):  # nothing else is half as much
        assert control(BY_KEY[key], track, mover()).slope == pytest.approx(1)


@pytest.mark.parametrize("finger", range(5))
def test_tips_of_half_amplitude_have_slope_one_half_finger_by_finger(finger: int) -> None:
    track = half([hand[place] for hand in (sk.LEFT_HAND, sk.RIGHT_HAND) for place in (0, 4 * finger + 4)])
    slopes = {key: control(each, track, mover()).slope for key, each in BY_KEY.items() if key.endswith("_tip")}
    wrong = {key for key, slope in slopes.items() if slope == pytest.approx(0.5, abs=1e-3)}
    assert wrong == {list(slopes)[finger]}


def test_one_number_by_another_regression() -> None:
    noisy = mover()
    noisy.keypoints[:] += np.random.default_rng(0).normal(0, 1, noisy.keypoints.shape)
    found = control(BY_KEY["mouth_opening"], noisy, mover())
    expected = linregress(lip_gap(mover().keypoints), lip_gap(noisy.keypoints))
    assert found.slope == pytest.approx(expected.slope)
    assert found.correlation == pytest.approx(expected.rvalue)


def test_a_mouth_that_opens_late_follows_less() -> None:
    late = mover()
    late.keypoints[:, sk.INNER_LIPS] = np.roll(late.keypoints[:, sk.INNER_LIPS], 3, 0)
    assert control(BY_KEY["mouth_opening"], late, mover()).correlation < 0.5  # type: ignore[operator]


def test_hands_that_are_not_found_do_not_answer() -> None:
    lost = mover().without(sk.HANDS)
    lost.keypoints[:] = np.nan
    found = control(BY_KEY["index_tip"], lost, mover())
    assert (found.slope, found.correlation) == (0, 0)
    at_times = mover()
    at_times.confidence[FRAMES // 2 :, sk.HANDS] = 0
    assert 0.3 < control(BY_KEY["index_tip"], at_times, mover()).slope < 0.7  # type: ignore[operator]


def test_what_hardly_moves_is_none_with_the_reason() -> None:
    held = mover()[[0] * FRAMES]
    held.keypoints[:, sk.INNER_LIPS] += np.random.default_rng(0).normal(0, 0.1, (FRAMES, 8, 2))
    found = control(BY_KEY["mouth_opening"], held, held)
    assert (found.slope, found.correlation) == (None, None)
    assert "eye distances, 0.0" in (found.reason or "")
    unseen = control(BY_KEY["ring_bend"], mover(), mover().without(sk.HANDS))
    assert unseen.reason == "the pose does not show it"


def test_head_angles_of_a_turned_head() -> None:
    keypoints = person(3).keypoints
    for place, angles in enumerate(((20.0, 0.0, 0.0), (0.0, 15.0, 0.0), (0.0, 0.0, 25.0))):
        yaw, pitch, roll = (np.full(3, angle) for angle in angles)
        keypoints[:, _RIGID] = projected(yaw, pitch, roll)
        np.testing.assert_allclose(head_angles(keypoints), [angles] * 3, atol=1e-3, err_msg=str(place))
    yaw, pitch, roll = np.full(3, 20.0), np.full(3, 10.0), np.full(3, 15.0)
    keypoints[:, _RIGID] = projected(yaw, pitch, roll)
    turned = head_angles(keypoints)
    keypoints[:, _RIGID] = keypoints[:, _RIGID] * 1.7 + (11, -30)  # neither size nor place of the head counts
    np.testing.assert_allclose(head_angles(keypoints), turned, atol=1e-3)


def test_faces_in_eye_distances_and_eye_widths() -> None:
    keypoints = person().keypoints
    np.testing.assert_allclose(mouth_width(keypoints), 28 / 30, rtol=1e-4)
    np.testing.assert_allclose(eyelids(keypoints), 8 * np.sin(np.pi / 3) / 8, rtol=1e-4)
    keypoints[:, sk.RIGHT_BROW], keypoints[:, sk.LEFT_BROW] = (113, 48), (143, 42)
    np.testing.assert_allclose(brows(keypoints), (12 + 18) / 2 / 30, rtol=1e-4)
