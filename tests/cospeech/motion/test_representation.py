from dataclasses import replace

import numpy as np
import pytest

from cospeech.metrics.lips import lmd
from cospeech.motion.representation import BODY, FACE, LIPS, POSTURE, SPEECH, describe, offsets, pose, weights
from cospeech.pose import skeleton as sk
from tests.helpers.keypoints import person

MOVING = np.concatenate([BODY, FACE, LIPS])


def similar(keypoints: np.ndarray, turn: float, size: float, shift: float) -> np.ndarray:
    turning = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return keypoints @ turning * size + shift


def test_every_moving_point_is_in_one_part() -> None:
    assert sorted(MOVING) == [*range(13), *range(23, 133)]
    assert 2 * (len(MOVING) + 2) == POSTURE + SPEECH
    assert weights().shape == (POSTURE,)


def test_round_trip() -> None:
    keypoints = person(12, 1).keypoints
    keypoints[:, sk.FACE] = similar(keypoints[:, sk.FACE], 0.2, 1.1, 5)
    reference = person(1, 1).keypoints[0]
    posture, speech = offsets(keypoints, reference)
    assert posture.shape == (12, POSTURE)
    back = pose(posture, speech, reference)
    np.testing.assert_allclose(back[:, MOVING], keypoints[:, MOVING], atol=1e-3)
    np.testing.assert_array_equal(back[:, sk.FEET], np.repeat(reference[None, sk.FEET], 12, 0))


def test_lips_are_told_in_the_head() -> None:
    reference, turned = person(1).keypoints[0], person(1)
    turned.keypoints[0, sk.FACE] = similar(reference[sk.FACE], 0.3, 1.2, -20)
    posture, speech = offsets(turned.keypoints, reference)
    np.testing.assert_allclose(speech, 0, atol=1e-5)
    assert np.abs(posture).max() > 0.1
    spoken = speech + 0.1  # eye distances
    made = pose(posture, spoken, reference)
    distance = lmd(replace(turned, keypoints=made), turned)
    assert distance == pytest.approx(0.1 * np.sqrt(2), rel=0.01)


def test_motion_of_one_person_fits_another_of_other_size_and_place() -> None:
    keypoints = person(5).keypoints
    reference = keypoints[0]
    moved = offsets(keypoints, reference)
    other = reference * 1.7 + 20
    np.testing.assert_allclose(pose(*moved, other)[:, MOVING], keypoints[:, MOVING] * 1.7 + 20, atol=1e-2)
    for mine, theirs in zip(describe(reference), describe(other), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


@pytest.mark.parametrize(("points", "name"), [(sk.SHOULDERS, "shoulders"), (sk.FACE, "eyes")])
def test_a_reference_that_gives_no_scale_is_refused(points: np.ndarray, name: str) -> None:
    reference = person(1).keypoints[0]
    reference[points] = 7
    with pytest.raises(ValueError, match=rf"{name} 0\.00 px apart"):
        describe(reference)
