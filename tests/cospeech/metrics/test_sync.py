import numpy as np
import pytest
from scipy.spatial.distance import cdist

from cospeech.metrics.sync import shift_distances, sync_score


def speech(count: int = 120, seed: int = 0) -> np.ndarray:
    """(M, 16) unit vectors."""
    vectors = np.random.default_rng(seed).normal(size=(count, 16))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("frames", [-15, -4, 0, 3, 15])
def test_shifted_audio_moves_the_offset_by_as_much(frames: int) -> None:
    audio = speech()
    lips = audio[40:80]
    late = np.roll(audio, frames, 0)  # what was heard at t is heard at t + frames
    score = sync_score(lips, late, 40)
    assert score.offset == frames
    assert score.distance == pytest.approx(0, abs=1e-9)


def test_noise_in_the_lips_lowers_confidence_and_raises_distance() -> None:
    audio, rng = speech(), np.random.default_rng(1)
    scores = [sync_score(audio[40:80] + noise * rng.normal(size=(40, 16)), audio, 40) for noise in (0, 0.2, 0.6)]
    assert [s.confidence for s in scores] == sorted((s.confidence for s in scores), reverse=True)
    assert [s.distance for s in scores] == sorted(s.distance for s in scores)
    frozen = sync_score(np.repeat(audio[40:41], 40, 0), audio, 40)
    other = sync_score(speech(seed=9)[40:80], audio, 40)
    assert max(frozen.confidence, other.confidence) < 0.3 * scores[0].confidence


def test_distances_are_the_diagonals_of_all_pairs() -> None:
    lips, audio = speech(40, 1), speech(60, 2)
    pairs = cdist(lips, audio)
    expected = [np.diagonal(pairs, 7 + shift).mean() for shift in range(-15, 16)]
    np.testing.assert_allclose(shift_distances(lips, audio, 7), expected, rtol=1e-9)


def test_confidence_is_median_minus_least() -> None:
    lips, audio = speech(60, 1), speech(60, 2)
    distances = sorted(
        np.mean([np.linalg.norm(lips[i] - audio[i + s]) for i in range(60) if 0 <= i + s < 60]) for s in range(-15, 16)
    )
    score = sync_score(lips, audio)
    assert score.distance == pytest.approx(distances[0])
    assert score.confidence == pytest.approx(distances[15] - distances[0])


def test_a_stretch_outside_the_speech_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"3 windows of lips from 0 .* shift of -15"):
        sync_score(speech(3), speech(60))
