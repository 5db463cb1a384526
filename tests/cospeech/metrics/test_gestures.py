import numpy as np
import pytest
from scipy.signal import find_peaks
from scipy.spatial.distance import pdist

from cospeech.metrics.gestures import beat_consistency, diversity, motion_beats, voice_beats

FPS = 25


def strokes(period: int, frames: int = 100, delay: int = 0) -> np.ndarray:
    """(T, 4): two points that swing from side to side and rest every `period` frames, first at `delay`."""
    angle = np.pi * (np.arange(frames) - delay) / period
    swing = np.cos(angle)
    return np.stack([swing, 0 * swing, 2 * swing, swing], -1)


def test_beats_lie_where_the_hands_rest() -> None:
    found = motion_beats(strokes(10, delay=5), FPS)
    np.testing.assert_allclose(found, np.arange(5, 96, 10) / FPS, atol=0.5 / FPS)


def test_voice_beats_are_the_onsets() -> None:
    mel = np.full((100, 4, 80), -8.0)
    for start in (20, 45, 80):
        mel[start : start + 10] = -2.0
    np.testing.assert_allclose(voice_beats(mel, FPS), (np.array([20, 45, 80]) - 0.5) / FPS, atol=0.5 / FPS)


def test_peaks_agree_with_scipy() -> None:
    walk = np.cumsum(np.random.default_rng(0).normal(size=(300, 8)), 0)
    step = np.linalg.norm(np.diff(walk.reshape(300, 4, 2), axis=0), axis=-1).mean(1)
    window = np.hanning(7)[1:-1]
    smooth = np.convolve(np.pad(step, 2, mode="edge"), window / window.sum(), mode="valid")
    expected, _ = find_peaks(-smooth, distance=5)
    np.testing.assert_allclose(motion_beats(walk, FPS) * FPS - 0.5, expected)


def slow_consistency(motion: np.ndarray, voice: np.ndarray) -> float:
    total = 0.0
    for beat in motion:
        total += max(float(np.exp(-((beat - other) ** 2) / (2 * 0.1**2))) for other in voice)
    return total / len(motion)


def test_consistency_by_loops() -> None:
    rng = np.random.default_rng(1)
    motion, voice = np.sort(rng.uniform(0, 4, 9)), np.sort(rng.uniform(0, 4, 6))
    assert beat_consistency(motion, voice) == pytest.approx(slow_consistency(motion, voice))


def test_gestures_off_the_beat_score_less() -> None:
    mel = np.full((100, 4, 80), -8.0)
    for start in range(5, 100, 10):
        mel[start : start + 4] = -2.0
    voice = voice_beats(mel, FPS)
    on, off = motion_beats(strokes(10, delay=5), FPS), motion_beats(strokes(10, delay=10), FPS)
    assert beat_consistency(on, voice) > 0.9 > 0.3 > beat_consistency(off, voice)  # type: ignore[operator]
    assert beat_consistency(motion_beats(np.ones((100, 4)), FPS), voice) is None  # nothing moves, no beat


def test_diversity_is_the_mean_over_pairs() -> None:
    stretches = np.random.default_rng(2).normal(size=(7, 12, 5))
    expected = pdist(stretches.reshape(7, -1), "cityblock").mean() / 60
    assert diversity(stretches) == pytest.approx(expected)


def test_diversity_of_known_motion() -> None:
    same = np.repeat(np.random.default_rng(3).normal(size=(1, 10, 4)), 5, 0)
    assert diversity(same) == pytest.approx(0)
    moved = same + np.arange(5)[:, None, None]
    assert diversity(moved) == pytest.approx(2)  # |i - j| over pairs of 0..4
    assert diversity(2 * moved) == pytest.approx(2 * diversity(moved))  # type: ignore[operator]
    assert diversity(same[:1]) is None
