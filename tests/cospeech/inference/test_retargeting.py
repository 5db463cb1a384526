import numpy as np
import pytest

from cospeech.inference.retargeting import Fit
from cospeech.pose import skeleton as sk
from tests.helpers.keypoints import person


def people(frames: int = 6, seed: int = 0) -> np.ndarray:
    return person(frames, seed).keypoints.astype(np.float64)


def test_a_driver_fitted_to_itself_is_as_it_was() -> None:
    moving = people()
    np.testing.assert_allclose(Fit(moving[0], moving[0])(moving)[:, :13], moving[:, :13], atol=1e-3)
    np.testing.assert_allclose(Fit(moving[0], moving[0])(moving)[:, 23:], moving[:, 23:], atol=1e-3)


def test_place_and_size_of_the_driver_do_not_matter() -> None:
    moving, other = people(), people(seed=3)[0]
    near = Fit(other, moving[0])(moving)
    far = Fit(other, moving[0] * 2.5 + [300, -40])(moving * 2.5 + [300, -40])
    np.testing.assert_allclose(far, near, atol=1e-3)


def test_at_rest_the_person_has_their_own_face_shoulders_and_hands() -> None:
    driver, other = people()[0], people(seed=3)[0]
    other[sk.FACE] = (other[sk.FACE] - other[sk.FACE].mean(0)) * [1.2, 1.1] + other[sk.FACE].mean(0)
    still = Fit(other, driver)(driver[None])[0]
    inner = np.setdiff1d(sk.FACE, sk.MOUTH)
    np.testing.assert_allclose(still[inner], other[inner], atol=1e-3)
    np.testing.assert_allclose(still[sk.SHOULDERS], other[sk.SHOULDERS], atol=1e-3)


def length(points: np.ndarray, first: int, second: int) -> np.ndarray:
    return np.linalg.norm(points[..., first, :] - points[..., second, :], axis=-1)


def test_long_arms_stay_long() -> None:
    driver = people()
    other = driver[0].copy()
    for shoulder, elbow, wrist, hand in (
        (sk.LEFT_SHOULDER, sk.LEFT_ELBOW, sk.LEFT_WRIST, sk.LEFT_HAND),
        (sk.RIGHT_SHOULDER, sk.RIGHT_ELBOW, sk.RIGHT_WRIST, sk.RIGHT_HAND),
    ):
        before = other[wrist].copy()
        other[elbow] = other[shoulder] + 1.3 * (other[elbow] - other[shoulder])
        other[wrist] = other[elbow] + 1.3 * (before - driver[0][elbow])
        other[hand] += other[wrist] - before
    found = Fit(other, driver[0])(driver)
    upper = length(found, sk.LEFT_SHOULDER, sk.LEFT_ELBOW) / length(driver, sk.LEFT_SHOULDER, sk.LEFT_ELBOW)
    np.testing.assert_allclose(upper, 1.3, rtol=1e-4)
    palm = length(found, sk.LEFT_HAND[0], sk.LEFT_HAND[9]) / length(driver, sk.LEFT_HAND[0], sk.LEFT_HAND[9])
    np.testing.assert_allclose(palm, 1, rtol=1e-4)
    gap = length(found, sk.LEFT_WRIST, sk.LEFT_HAND[0]), length(driver, sk.LEFT_WRIST, sk.LEFT_HAND[0])
    np.testing.assert_allclose(*gap, atol=1e-3)


def test_lips_that_touch_touch_on_a_face_that_rests_with_its_mouth_open() -> None:
    driver = people()
    closed = driver[:1].copy()
    middle = closed[0, sk.INNER_LIPS, 1].mean()
    closed[0, sk.INNER_LIPS, 1] = middle
    other = driver[0].copy()
    other[sk.LOWER_LIP_INNER, 1] += 6
    other[sk.UPPER_LIP_INNER, 1] -= 2
    found = Fit(other, closed[0])(closed)[0]
    assert abs(found[sk.LOWER_LIP_INNER, 1] - found[sk.UPPER_LIP_INNER, 1]) < 0.5
    opened = closed.copy()
    opened[0, [sk.LOWER_LIP_INNER, 88, 90], 1] += 4
    gap = np.diff(Fit(other, closed[0])(opened)[0, [sk.UPPER_LIP_INNER, sk.LOWER_LIP_INNER], 1])
    assert 3 < gap < 5


def test_a_wide_mouth_moves_widely() -> None:
    driver = people()[:1]
    moved = driver.copy()
    moved[0, sk.MOUTH_LEFT, 0] += 3
    other = driver[0].copy()
    centre = other[sk.MOUTH].mean(0)
    other[sk.MOUTH] = (other[sk.MOUTH] - centre) * 1.4 + centre
    fit = Fit(other, driver[0])
    np.testing.assert_allclose((fit(moved) - fit(driver))[0, sk.MOUTH_LEFT], [4.2, 0], atol=0.05)


def test_a_turned_head_turns_the_face() -> None:
    driver, other = people()[:1], people(seed=3)[0]
    head = np.r_[0:5, sk.FACE]
    angle = 0.2
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved, centre = driver.copy(), driver[0, head].mean(0)
    moved[0, head] = (driver[0, head] - centre) @ turn + centre
    fit = Fit(other, driver[0])
    before, after = fit(driver)[0, sk.FACE], fit(moved)[0, sk.FACE]
    expected = (before - before.mean(0)) @ turn
    np.testing.assert_allclose(after - after.mean(0), expected, atol=1e-3)


def test_shoulders_in_one_place_are_refused() -> None:
    flat = people()[0]
    flat[sk.SHOULDERS] = 100
    with pytest.raises(ValueError, match=r"0\.0 px apart"):
        Fit(flat, people()[0])
