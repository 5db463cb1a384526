"""Mel-frequency cepstral coefficients as the published SyncNet expects them: those of python_speech_features 0.6.

S samples, F frames of 25 ms every 10 ms.
"""

import numpy as np

WINDOW, STEP, BANDS, COEFFICIENTS, FFT = 0.025, 0.01, 26, 13, 512  # seconds, seconds
_EMPHASIS, _LIFTER = 0.97, 22
_EPS = np.finfo(float).eps


def mfcc(samples: np.ndarray, rate: int) -> np.ndarray:
    """Compute MFCCs (F, 13) float64 of (S,) float in -1..1.

    Pre-emphasis; power spectrum of 512 points of rectangular windows; 26 triangular mel filters; logarithm; orthonormal
    DCT-II; liftering by 1 + 11 sin(pi n / 22); the logarithm of the frame's energy as first coefficient. Samples are
    scaled to 16-bit integers, as SyncNet reads them.
    """
    from scipy.fft import dct

    signal = np.round(samples.astype(np.float64) * 32768).clip(-32768, 32767)
    signal = np.append(signal[0], signal[1:] - _EMPHASIS * signal[:-1])
    length, step = (int(np.floor(seconds * rate + 0.5)) for seconds in (WINDOW, STEP))
    count = 1 + max(0, -(-(len(signal) - length) // step))
    padded = np.append(signal, np.zeros(max(0, (count - 1) * step + length - len(signal))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, length)[::step][:count]
    power = np.square(np.abs(np.fft.rfft(windows, FFT))) / FFT
    energy, bands = power.sum(1), power @ mel_filters(rate).T
    logs = np.log(np.where(bands == 0, _EPS, bands))
    cepstra = dct(logs, type=2, axis=1, norm="ortho")[:, :COEFFICIENTS]
    cepstra *= 1 + _LIFTER / 2 * np.sin(np.pi * np.arange(COEFFICIENTS) / _LIFTER)
    cepstra[:, 0] = np.log(np.where(energy == 0, _EPS, energy))
    return cepstra


def mel_filters(rate: int) -> np.ndarray:
    """Return triangular filters (26, 257) with corners evenly spaced in mel, from 0 to half the rate."""
    top = 2595 * np.log10(1 + rate / 2 / 700)
    hertz = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    corners = np.floor((FFT + 1) * hertz / rate)
    bins = np.arange(FFT // 2 + 1)
    left, middle, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (bins - left) / (middle - left), (right - bins) / (right - middle)
    return np.where((bins >= left) & (bins < middle), rising, np.where((bins >= middle) & (bins < right), falling, 0))
