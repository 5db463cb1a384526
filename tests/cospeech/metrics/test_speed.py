import pytest

from cospeech.metrics.speed import summarise


def test_median_and_p95_of_what_a_frame_takes() -> None:
    summary = summarise([1.0, 2.0, 1.0, 8.0, 1.0], [10, 20, 5, 10, 10])
    assert summary.fps == pytest.approx(10)
    assert summary.median_ms == pytest.approx(100)
    assert summary.p95_ms == pytest.approx(200 + 0.8 * 600)  # a fifth of the way back from the greatest of five


def test_nothing_timed_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 timings for 0 runs"):
        summarise([], [])
