import numpy as np
import pytest

from cospeech.metrics.hands import hand_missing, hand_pck, hkc, hkv, shoulder_width
from cospeech.pose import skeleton as sk
from tests.helpers.keypoints import person


def test_a_removed_hand_lowers_hkc_by_its_share() -> None:
    _, confidence = person(20)
    confidence[:5, sk.LEFT_HAND] = 0
    assert hkc(confidence) == pytest.approx(0.9 * (1 - 5 / 40))
    assert hand_missing(confidence) == pytest.approx(5 / 40)


def test_hkc_by_loops() -> None:
    confidence = np.random.default_rng(0).random((4, 133)).astype(np.float32)
    total = sum(float(confidence[t, point]) for t in range(4) for point in range(91, 133))
    assert hkc(confidence) == pytest.approx(total / (4 * 42))


def slow_hkv(keypoints: np.ndarray, seen: np.ndarray) -> float:
    """By loops; seen: (T, 2)."""
    unit = np.median([np.hypot(*(frame[5] - frame[6])) for frame in keypoints])
    variances = []
    for side, first in ((0, 91), (1, 112)):
        rows = [frame for frame, is_seen in zip(keypoints, seen[:, side], strict=True) if is_seen]
        for point in range(first, first + 21):
            track = np.array([frame[point] for frame in rows], np.float64) / unit
            variances.append(((track - track.mean(0)) ** 2).sum() / len(track))
    return float(np.mean(variances))


def test_hkv_by_loops_over_the_frames_where_the_hand_is_found() -> None:
    keypoints, confidence = person(20)
    confidence[3:9, sk.RIGHT_HAND] = 0
    seen = np.ones((20, 2), bool)
    seen[3:9, 1] = False
    assert hkv(keypoints, confidence) == pytest.approx(slow_hkv(keypoints, seen), rel=1e-4)


def test_hkv_of_frozen_jittered_larger_and_scaled_hands() -> None:
    keypoints, confidence = person(20)
    usual = hkv(keypoints, confidence)
    frozen = np.repeat(keypoints[:1], 20, 0)
    assert hkv(frozen, confidence) == pytest.approx(0, abs=1e-9)
    jitter = np.random.default_rng(1).normal(0, 3, keypoints.shape).astype(np.float32)
    jitter[:, sk.SHOULDERS] = 0
    assert hkv(keypoints + jitter, confidence) == pytest.approx(usual + 2 * 3**2 / 80**2, rel=0.15)
    assert hkv(2 * keypoints, confidence) == pytest.approx(usual, rel=1e-4)  # a larger picture of the same person


def test_swapped_hands_move_as_much_but_are_not_in_place() -> None:
    keypoints, confidence = person(20)
    swapped = keypoints.copy()
    swapped[:, sk.LEFT_HAND], swapped[:, sk.RIGHT_HAND] = keypoints[:, sk.RIGHT_HAND], keypoints[:, sk.LEFT_HAND]
    assert hkv(swapped, confidence) == pytest.approx(hkv(keypoints, confidence), rel=1e-5)
    assert hand_pck(keypoints, confidence, keypoints, confidence) == 1
    assert hand_pck(swapped, confidence, keypoints, confidence) == 0


def test_pck_counts_points_out_of_place_and_hands_not_found() -> None:
    keypoints, confidence = person(20)
    box = keypoints[0, sk.LEFT_HAND].max(0) - keypoints[0, sk.LEFT_HAND].min(0)
    near, far = keypoints.copy(), keypoints.copy()
    near[:, 91, 0] += 0.19 * box.max()
    far[:, 91, 0] += 0.21 * box.max()
    assert hand_pck(near, confidence, keypoints, confidence) == 1
    assert hand_pck(far, confidence, keypoints, confidence) == pytest.approx(1 - 1 / 42)
    lost = confidence.copy()
    lost[:5, sk.LEFT_HAND] = 0
    assert hand_pck(keypoints, lost, keypoints, confidence) == pytest.approx(1 - 5 / 40)
    assert hand_pck(keypoints, confidence, keypoints, lost) == 1  # a hand that is really away is not asked for


def test_nothing_to_measure_is_none() -> None:
    keypoints, confidence = person(3)
    nobody = np.zeros_like(confidence)
    assert hkc(nobody) == 0
    assert hand_missing(nobody) == 1
    assert hkv(keypoints, nobody) is None
    assert hand_pck(keypoints, confidence, keypoints, nobody) is None
    assert shoulder_width(keypoints, nobody) is None
    assert shoulder_width(keypoints, confidence) == pytest.approx(80)
