import numpy as np
import pytest

from cospeech.curation.offset import av_offset, expert_offset, mouth_opening, voice_energy
from tests.cospeech.curation.made import good_features, good_poses, mouth_curve


@pytest.mark.parametrize("late", [-9, -3, 0, 1, 6, 14])
def test_the_shift_is_found(late: int) -> None:
    curve = mouth_curve(160)
    poses, features = good_poses(120, curve[20:140]), good_features(120, curve[20 - late : 140 - late])
    offset, evidence = av_offset(mouth_opening(poses), voice_energy(features))
    assert offset == late
    assert evidence > 0.4


def test_unrelated_curves_give_little_evidence() -> None:
    evidence = [av_offset(mouth_curve(120, seed), mouth_curve(120, seed + 100))[1] for seed in range(40)]
    assert np.percentile(evidence, 95) < 0.25
    assert max(evidence) < 0.3


def test_curves_that_do_not_move_tell_nothing() -> None:
    assert av_offset(np.zeros(100), mouth_curve(100)) == (None, 0.0)
    assert av_offset(mouth_curve(100), np.ones(100)) == (None, 0.0)
    assert av_offset(mouth_curve(20), mouth_curve(20)) == (None, 0.0)


def test_mouth_opening_does_not_depend_on_the_distance_to_the_camera() -> None:
    poses = good_poses(10, np.ones(10))
    assert mouth_opening(poses) == pytest.approx(8 / 20)
    near = poses.resized((512, 512))
    np.testing.assert_allclose(mouth_opening(near), mouth_opening(poses), rtol=1e-5)


@pytest.mark.parametrize("late", [-15, -4, 0, 9])
def test_an_expert_finds_the_shift_whatever_its_scale(late: int) -> None:
    rng = np.random.default_rng(0)
    lips = rng.normal(size=(120, 16))
    heard = np.roll(lips + rng.normal(0, 0.5, lips.shape), late, 0)
    offset, evidence = expert_offset(lips, heard)
    assert offset == late
    assert expert_offset(10 * lips, 10 * heard) == (offset, pytest.approx(evidence))
    assert evidence > 0.5 > 0.2 > expert_offset(lips, rng.normal(size=(120, 16)))[1]
    assert expert_offset(lips[:30], heard[:30]) == (None, 0.0)
