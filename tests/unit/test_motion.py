import numpy as np
import pytest

from stages.lib.motion import UPPER_BODY, denormalise, normalise, point_weights


def test_round_trip_and_units() -> None:
    rng = np.random.default_rng(0)
    reference = rng.uniform(0, 256, (133, 2)).astype(np.float32)
    reference[5], reference[6] = (150, 100), (100, 100)
    keypoints = rng.uniform(0, 256, (7, 133, 2)).astype(np.float32)
    points = normalise(keypoints, reference)
    assert points.shape == (7, 246)
    back = denormalise(points, reference)
    np.testing.assert_allclose(back[:, UPPER_BODY], keypoints[:, UPPER_BODY], atol=1e-3)
    np.testing.assert_array_equal(back[:, 13:23], np.repeat(reference[None, 13:23], 7, 0))
    shoulders = normalise(reference[None], reference).reshape(-1, 2)[5:7]
    np.testing.assert_allclose(shoulders, [[0.5, 0], [-0.5, 0]], atol=1e-6)


def test_size_and_place_of_the_person_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    reference = rng.uniform(50, 200, (133, 2))
    keypoints = rng.uniform(50, 200, (3, 133, 2))
    np.testing.assert_allclose(
        normalise(keypoints * 1.7 + 20, reference * 1.7 + 20), normalise(keypoints, reference), atol=1e-4
    )


def test_a_reference_without_shoulders_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.00 px apart"):
        normalise(np.zeros((1, 133, 2)), np.zeros((133, 2)))


def test_lips_weigh_most() -> None:
    weight = dict(zip(UPPER_BODY, point_weights()[::2], strict=True))
    assert weight[80] > weight[30] > weight[9]
