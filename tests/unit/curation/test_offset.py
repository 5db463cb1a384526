import numpy as np
import pytest

from stages.lib.curation.offset import av_offset, mouth_opening, voice_energy
from tests.unit.curation.made import good_features, good_poses, mouth_curve


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
    near = type(poses)(poses.keypoints * 2, poses.confidence, 512, "made")
    np.testing.assert_allclose(mouth_opening(near), mouth_opening(poses), rtol=1e-5)
