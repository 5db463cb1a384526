import numpy as np
import pytest

from cospeech.audio.timing import frame_times, interpolate_at, resample


def test_frame_times_are_centres() -> None:
    assert frame_times(3, 25) == pytest.approx([0.02, 0.06, 0.1])


def test_at_times_interpolates_each_column_and_holds_the_ends() -> None:
    rng = np.random.default_rng(0)
    times, values, wanted = np.sort(rng.uniform(0, 1, 20)), rng.normal(size=(20, 3)), np.linspace(-0.2, 1.2, 57)
    expected = np.stack([np.interp(wanted, times, column) for column in values.T], 1)
    np.testing.assert_allclose(interpolate_at(values, times, wanted), expected, atol=1e-6)
    np.testing.assert_allclose(interpolate_at(values[:, 0], times, wanted), expected[:, 0], atol=1e-6)


def test_at_times_of_a_single_value() -> None:
    assert interpolate_at(np.array([[1.0, 2.0]]), np.array([0.5]), np.array([0.0, 1.0])).tolist() == [[1, 2], [1, 2]]


def test_resampled_keeps_the_pitch() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(24000) / 24000)
    spectrum = np.abs(np.fft.rfft(resample(tone, 24000)))
    assert len(resample(tone, 24000)) == 16000
    assert spectrum.argmax() == 440
