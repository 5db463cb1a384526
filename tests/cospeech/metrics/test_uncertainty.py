import numpy as np
import pytest
from scipy import stats

from cospeech.metrics.uncertainty import estimate, paired_difference


def test_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).gamma(2, size=30)
    ours = estimate(values, np.ones(30), seed=1, resamples=20000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert ours is not None
    assert ours.mean == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for trial in range(200):
        found = estimate(rng.normal(5, 2, 40), np.ones(40), seed=trial, resamples=500)
        assert found is not None
        inside += found.low <= 5 <= found.high
    assert 0.88 <= inside / 200 <= 0.99


def test_the_seed_decides() -> None:
    values = np.random.default_rng(4).normal(size=8)
    equal = np.ones(8)
    assert estimate(values, equal, 5) == estimate(values, equal, 5)
    assert estimate(values, equal, 5) != estimate(values, equal, 6)
    assert estimate(np.zeros(0), np.zeros(0), 5) is None
    one = estimate(np.array([2.0]), np.ones(1), 5)
    assert one is not None
    assert (one.low, one.high, one.clips) == (2, 2, 1)


def test_what_clips_have_in_common_drops_out_of_a_paired_difference() -> None:
    rng = np.random.default_rng(6)
    hard = rng.normal(25, 4, 8)  # how hard each clip is
    ours, theirs = hard + 0.5 + rng.normal(0, 0.1, 8), hard + rng.normal(0, 0.1, 8)
    difference, alone = paired_difference(ours, theirs, np.ones(8), 0), estimate(ours, np.ones(8), 0)
    assert difference is not None
    assert alone is not None
    assert 0 < difference.low < 0.5 < difference.high + 0.2
    assert difference.high - difference.low < 0.2 * (alone.high - alone.low)
    with pytest.raises(ValueError, match="7 against 8"):
        paired_difference(ours[:7], theirs, np.ones(7), 0)


def test_weights_pool_counts() -> None:
    """Closure of lips: 3 of 3 sounds in one clip, 0 of 1 in another is 3 of 4."""
    found = estimate(np.array([1.0, 0.0]), np.array([3.0, 1.0]), 0)
    assert found is not None
    assert found.mean == pytest.approx(0.75)
    assert (found.low, found.high) == (0, 1)
