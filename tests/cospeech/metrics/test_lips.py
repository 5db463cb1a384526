from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from cospeech.metrics.lips import (
    LipEvents,
    align,
    bilabial_closure,
    closure_score,
    eye_distance,
    lip_events,
    lip_gap,
    lmd,
)
from cospeech.pose import skeleton as sk
from cospeech.pose.track import PoseTrack
from tests.helpers.keypoints import person


def test_lmd_does_not_see_the_place_size_and_turn_of_the_head() -> None:
    track = person()
    turn = 1.3 * np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    moved = replace(track, keypoints=track.keypoints @ turn.T + (20, -7))
    np.testing.assert_allclose(lmd(moved, track), 0, atol=1e-5)


def test_lmd_of_a_known_shift() -> None:
    lower = person()
    lower.keypoints[:, sk.MOUTH, 1] += 3
    np.testing.assert_allclose(lmd(lower, person()), 3 / 30, rtol=1e-4)


def test_align_by_a_search_over_similarities() -> None:
    rng = np.random.default_rng(3)
    source, target, points = rng.random((9, 2)), rng.random((9, 2)), rng.random((5, 2))

    def place(v: np.ndarray, x: np.ndarray) -> np.ndarray:
        return x @ np.array([[v[0], v[1]], [-v[1], v[0]]]) + v[2:]

    found = minimize(lambda v: ((place(v, source) - target) ** 2).sum(), [1, 0, 0, 0], tol=1e-12)
    np.testing.assert_allclose(align(source, target, points), place(found.x, points), atol=1e-4)


def test_a_blurred_a_frozen_and_another_mouth_are_ever_worse() -> None:
    """Blurred: landmarks smoothed over time, as lips lose their extremes. Frozen: those of one frame."""
    track = person(40)
    keypoints = track.keypoints
    blurred, frozen, other = keypoints.copy(), keypoints.copy(), keypoints.copy()
    blurred[1:-1, sk.MOUTH] = (keypoints[:-2, sk.MOUTH] + keypoints[1:-1, sk.MOUTH] + keypoints[2:, sk.MOUTH]) / 3
    frozen[:, sk.MOUTH] = keypoints[0, sk.MOUTH]
    other[:, sk.MOUTH] = np.roll(keypoints[:, sk.MOUTH], 6, 0) * (1, 1.05)
    made = [replace(track, keypoints=each) for each in (keypoints, blurred, frozen, other)]
    scores = [lmd(each, track).mean() for each in made]
    assert scores == sorted(scores)
    assert scores[0] < 1e-6 < scores[1]


def test_frames_without_a_face_are_nan() -> None:
    lost = person(4)
    lost.confidence[2, sk.FACE] = 0
    assert np.isnan(lmd(lost, person(4))).tolist() == [False, False, True, False]


def test_gap_in_eye_distances() -> None:
    keypoints = person().keypoints
    np.testing.assert_allclose(eye_distance(keypoints), 30, rtol=1e-5)
    opening = 4 + 4 * np.sin(np.arange(20) / 2)
    heights = (1 + 2 * np.sin(np.pi / 4)) / 3  # of the three pairs, on an ellipse
    np.testing.assert_allclose(lip_gap(keypoints), 2 * opening * heights / 30, atol=1e-5)


def test_bilabials_count_where_lips_are_shut() -> None:
    track = person(40)
    gap = lip_gap(track.keypoints)
    shut, wide = int(gap.argmin()), int(gap.argmax())
    assert gap[shut] < 0.01 < 0.3 < gap[wide]

    def phone(text: str, frame: int, start: int = 0) -> tuple[str, float, float]:
        return text, (frame + start) / 25, (frame + start + 1) / 25

    phones = [phone("p", shut), phone("Bʰ", shut), phone("m", wide), phone("a", wide), phone("b", 999)]
    assert bilabial_closure(track, phones, 25) == (2, 3)
    later = [phone("m", shut, start=100)]
    assert bilabial_closure(track, later, 25, start=100) == (1, 1)
    assert bilabial_closure(track.without(sk.FACE), phones, 25) == (0, 0)
    assert bilabial_closure(track, [phone("m", wide)], 25, closed=2.0) == (1, 1)


def test_a_frozen_open_mouth_never_closes() -> None:
    track = person(40)
    frozen = track[[int(lip_gap(track.keypoints).argmax())] * 40]
    phones = [("m", frame / 25, (frame + 1) / 25) for frame in range(40)]
    assert bilabial_closure(frozen, phones, 25) == (0, 40)
    assert bilabial_closure(track, phones, 25)[0] > 5


def _speaking(amplitude: float = 1.0) -> tuple[PoseTrack, list[tuple[str, float, float]]]:
    """A person whose lips move by `amplitude` about their middle position, and an m wherever the whole movement is
    least."""
    track = person(40)
    gap = lip_gap(track.keypoints)
    shut = [t for t in range(1, 39) if gap[t] <= gap[[t - 1, t + 1]].min()]
    phones = [("m", t / 25, (t + 1) / 25) for t in shut]
    lips = track.keypoints[:, sk.INNER_LIPS]
    track.keypoints[:, sk.INNER_LIPS] = lips.mean(0) + amplitude * (lips - lips.mean(0))
    return track, phones


def test_closure_score_of_lips_that_do_all_that_is_asked_is_one() -> None:
    track, phones = _speaking()
    events = lip_events(track, track, phones, 25)
    assert events == LipEvents(3, 3, 4, 4)
    assert closure_score([events]) == 1


@pytest.mark.parametrize("gap", [0.0, 0.02, 0.05, 0.1, 0.3])
def test_closure_score_of_a_still_mouth_is_zero_however_wide(gap: float) -> None:
    track, phones = _speaking()
    still = track[[0] * 40]
    upper, lower = sk.INNER_LIPS[1:4], sk.INNER_LIPS[[7, 6, 5]]
    still.keypoints[:, lower] = still.keypoints[:, upper] + (0, 30 * gap)
    events = lip_events(still, track, phones, 25)
    assert closure_score([events]) == 0
    assert not (events.shut and events.opened)


def test_closure_score_of_a_mouth_that_hardly_moves_is_low_and_of_one_that_half_moves_lies_between() -> None:
    track, phones = _speaking()
    scores = [closure_score([lip_events(_speaking(amount)[0], track, phones, 25)]) for amount in (0.1, 0.7, 1.0)]
    assert scores[0] == 0
    assert scores[0] <= scores[1] <= scores[2] == 1  # type: ignore[operator]


def test_closure_score_is_pooled_over_clips() -> None:
    """2 of 4 closures and 3 of 4 openings: 2 * 1/2 * 3/4 / (5/4)."""
    assert closure_score([LipEvents(1, 1, 1, 2), LipEvents(1, 3, 2, 2)]) == pytest.approx(0.6)
    assert closure_score([LipEvents(0, 0, 2, 2)]) is None
    assert closure_score([LipEvents(1, 1, 0, 0)]) is None
    assert closure_score([LipEvents(0, 1, 0, 1)]) == 0


def test_openings_of_an_unseen_face_are_missed() -> None:
    track, phones = _speaking()
    assert lip_events(track.without(sk.FACE), track, phones, 25) == LipEvents(0, 0, 0, 4)
