import numpy as np
import pytest

from cospeech.metrics.lips import lip_correlation
from cospeech.motion_evaluation.baselines import MeanPose, Retrieval
from tests.cospeech.training.test_motion import talking


def test_a_voice_from_training_brings_its_motion_back() -> None:
    clips = [talking(seed, 60) for seed in range(4)]
    known = clips[2]
    made = Retrieval(clips).draw(known.mel, known.keypoints[0])
    middle = slice(10, 50)  # near the ends windows hold them, and are found less surely
    np.testing.assert_allclose(made[middle, :13], known.keypoints[middle, :13], atol=1)
    correlation = lip_correlation(made[middle], known.track[middle])
    assert correlation is not None
    assert correlation > 0.95


def test_a_voice_not_heard_before_finds_one_like_it() -> None:
    clip = talking(99)
    made = Retrieval([talking(seed, 80) for seed in range(12)]).draw(clip.mel, clip.keypoints[0])
    correlation = lip_correlation(made, clip.track)
    assert correlation is not None
    assert correlation > 0.6


def test_the_mean_pose_stands_still_in_the_middle_of_the_motion() -> None:
    clips = [talking(seed) for seed in range(3)]
    made = MeanPose(clips).draw(clips[0].mel, clips[0].keypoints[0])
    assert np.ptp(made, axis=0).max() == pytest.approx(0)
    mean = np.mean([clip.keypoints for clip in clips], axis=(0, 1))
    np.testing.assert_allclose(made[0, 91:], mean[91:], atol=0.05)
