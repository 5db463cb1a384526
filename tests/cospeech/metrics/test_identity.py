import numpy as np
import pytest
from scipy.spatial.distance import cosine

from cospeech.metrics.identity import expression_distance, identity_similarity


def test_cosine_by_scipy_over_the_frames_with_faces() -> None:
    rng = np.random.default_rng(1)
    made, real = rng.normal(size=(6, 32)), rng.normal(size=(6, 32))
    found = np.array([True, True, False, True, False, True])
    expected = np.mean([1 - cosine(made[t], real[t]) for t in np.flatnonzero(found)])
    assert identity_similarity(made, real, found) == pytest.approx(expected)
    assert identity_similarity(3 * real, real, found) == pytest.approx(1)
    assert identity_similarity(made, real, np.zeros(6, bool)) is None


def test_expression_distance_of_a_known_change() -> None:
    real = np.random.default_rng(1).random((6, 52))
    made = real.copy()
    made[:, 3] += 0.3
    made[:, 9] -= 0.4
    made[2] = 7  # where no face was found
    found = np.array([True, True, False, True, False, True])
    assert expression_distance(made, real, found) == pytest.approx(0.5)
    assert expression_distance(real, real, found) == 0
    assert expression_distance(made, real, np.zeros(6, bool)) is None
