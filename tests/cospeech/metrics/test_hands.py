from dataclasses import replace

import numpy as np
import pytest

from cospeech.metrics.hands import hand_missing, hand_pck, hkc, hkv, shoulder_width
from cospeech.pose import skeleton as sk
from cospeech.pose.track import PoseTrack
from tests.helpers.keypoints import person


def test_a_removed_hand_lowers_hkc_by_its_share() -> None:
    track = person(20)
    track.confidence[:5, sk.LEFT_HAND] = 0
    assert hkc(track) == pytest.approx(0.9 * (1 - 5 / 40))
    assert hand_missing(track) == pytest.approx(5 / 40)


def test_hkc_by_loops() -> None:
    confidence = np.random.default_rng(0).random((4, 133)).astype(np.float32)
    total = sum(float(confidence[t, point]) for t in range(4) for point in range(91, 133))
    assert hkc(PoseTrack(np.zeros((4, 133, 2)), confidence, (1, 1))) == pytest.approx(total / (4 * 42))


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
    track = person(20)
    track.confidence[3:9, sk.RIGHT_HAND] = 0
    seen = np.ones((20, 2), bool)
    seen[3:9, 1] = False
    assert hkv(track) == pytest.approx(slow_hkv(track.keypoints, seen), rel=1e-4)


def test_hkv_of_frozen_jittered_larger_and_scaled_hands() -> None:
    track = person(20)
    usual = hkv(track)
    assert hkv(track[[0] * 20]) == pytest.approx(0, abs=1e-9)
    jitter = np.random.default_rng(1).normal(0, 3, track.keypoints.shape).astype(np.float32)
    jitter[:, sk.SHOULDERS] = 0
    trembling = replace(track, keypoints=track.keypoints + jitter)
    assert hkv(trembling) == pytest.approx(usual + 2 * 3**2 / 80**2, rel=0.15)
    assert hkv(track.resized((512, 512))) == pytest.approx(usual, rel=1e-4)


def test_swapped_hands_move_as_much_but_are_not_in_place() -> None:
    track = person(20)
    swapped = track.points(np.r_[0:91, sk.RIGHT_HAND, sk.LEFT_HAND])
    assert hkv(swapped) == pytest.approx(hkv(track), rel=1e-5)
    assert hand_pck(track, track) == 1
    assert hand_pck(swapped, track) == 0


def test_pck_counts_points_out_of_place_and_hands_not_found() -> None:
    track, near, far, lost = (person(20) for _ in range(4))
    size = np.ptp(track.keypoints[0, sk.LEFT_HAND], axis=0).max()
    near.keypoints[:, 91, 0] += 0.19 * size
    far.keypoints[:, 91, 0] += 0.21 * size
    assert hand_pck(near, track) == 1
    assert hand_pck(far, track) == pytest.approx(1 - 1 / 42)
    lost.confidence[:5, sk.LEFT_HAND] = 0
    assert hand_pck(lost, track) == pytest.approx(1 - 5 / 40)
    assert hand_pck(track, lost) == 1  # a hand that is really away is not asked for


def test_nothing_to_measure_is_none() -> None:
    track = person(3)
    nobody = track.without(np.arange(133))
    assert hkc(nobody) == 0
    assert hand_missing(nobody) == 1
    assert hkv(nobody) is None
    assert hand_pck(track, nobody) is None
    assert shoulder_width(nobody) is None
    assert shoulder_width(track) == pytest.approx(80)
