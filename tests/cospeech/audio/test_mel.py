import numpy as np
import pytest

from cospeech.audio.mel import BANDS, FLOOR, WINDOWS, log_mel, window_centres


def slow_log_mel(speech: np.ndarray, rate: int, frames: int, fps: float) -> np.ndarray:
    """The definition, one window and one frequency at a time."""
    width = 2 * round(0.025 * rate / 2)
    size = 2 ** int(np.ceil(np.log2(width)))
    frequencies = np.arange(size // 2 + 1) * rate / size
    to_mel = np.vectorize(lambda hz: hz / (200 / 3) if hz < 1000 else 15 + 27 * np.log(hz / 1000) / np.log(6.4))
    to_hz = np.vectorize(lambda mel: mel * 200 / 3 if mel < 15 else 1000 * np.exp((mel - 15) * np.log(6.4) / 27))
    edges = to_hz(np.linspace(0, to_mel(rate / 2), BANDS + 2))
    out = np.empty((frames, WINDOWS, BANDS))
    for t in range(frames):
        for m in range(WINDOWS):
            centre = round((t + (m + 0.5) / WINDOWS) / fps * rate)
            window = np.zeros(size)
            for n in range(width):
                place = centre - width // 2 + n
                if 0 <= place < len(speech):
                    window[n] = speech[place] * (0.5 - 0.5 * np.cos(2 * np.pi * n / width))
            angles = np.outer(np.arange(size // 2 + 1), np.arange(size)) * -2j * np.pi / size
            power = np.abs(np.exp(angles) @ window) ** 2
            for band in range(BANDS):
                low, middle, high = edges[band : band + 3]
                rise, fall = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
                triangle = np.clip(np.minimum(rise, fall), 0, None) * 2 / (high - low)
                out[t, m, band] = np.log(max((power * triangle).sum(), FLOOR))
    return out


@pytest.mark.parametrize(("rate", "fps"), [(16000, 25), (22050, 24)])
def test_log_mel_is_its_definition(rate: int, fps: float) -> None:
    speech = np.random.default_rng(0).normal(size=rate // 10) * 0.1
    frames = round(fps / 10) + 1  # the last one reaches beyond the recording
    np.testing.assert_allclose(log_mel(speech, rate, frames, fps), slow_log_mel(speech, rate, frames, fps), atol=2e-3)


def test_four_windows_are_centred_inside_each_frame() -> None:
    centres = window_centres(3, 25, 16000)
    assert centres.tolist() == [[80, 240, 400, 560], [720, 880, 1040, 1200], [1360, 1520, 1680, 1840]]


@pytest.mark.parametrize("sample", [80, 1000, 5555])
def test_a_click_is_loudest_in_the_window_around_it(sample: int) -> None:
    speech = np.zeros(16000)
    speech[sample] = 1
    loudness = log_mel(speech, 16000, 25, 25).mean(-1).reshape(-1)
    assert loudness.argmax() == round((sample - 80) / 160)


def test_silence_is_finite_and_lowest() -> None:
    mel = log_mel(np.zeros(1600), 16000, 3, 25)
    assert mel.shape == (3, WINDOWS, BANDS)
    assert mel.dtype == np.float32
    np.testing.assert_allclose(mel, np.log(FLOOR), rtol=1e-6)
