"""Log-mel power spectrogram on the clock of the video: every video frame owns the same number of windows."""

import numpy as np

BANDS = 80
WINDOWS = 4
"""Windows a video frame: 10 ms apart at 25 frames per second."""
WINDOW_SECONDS = 0.025
FLOOR = 1e-6
"""Least power, so that digital silence has a finite logarithm (-13.8); a quiet room is just above it."""


def window_centres(frames: int, fps: float, rate: int) -> np.ndarray:
    """Sample index of the centre of every window, (T, 4) int64.

    Window m of frame t is centred at (t + (m + 0.5) / 4) / fps seconds: the four share the frame's time evenly, and
    none is centred outside of it.
    """
    seconds = (np.arange(frames)[:, None] + (np.arange(WINDOWS) + 0.5) / WINDOWS) / fps
    return np.rint(seconds * rate).astype(np.int64)


def log_mel(speech: np.ndarray, rate: int, frames: int, fps: float) -> np.ndarray:
    """Natural logarithm of mel power.

    Periodic Hann windows of 25 ms, FFT of the next power of two, Slaney mel bands of unit area from 0 to rate / 2.
    Outside of the recording there is silence.

    Args:
        speech: (S,) float in -1..1.

    Returns:
        (T, 4, 80) float32.
    """
    width = 2 * round(WINDOW_SECONDS * rate / 2)
    size = 1 << (width - 1).bit_length()
    centres = window_centres(frames, fps, rate).reshape(-1)
    tail = max(0, int(centres[-1]) + width // 2 - len(speech)) if frames else 0
    padded = np.pad(speech.astype(np.float32), (width // 2, tail))
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(width) / width)).astype(np.float32)
    windows = padded[centres[:, None] + np.arange(width)] * hann
    power = np.abs(np.fft.rfft(windows, size)) ** 2
    mel = power @ _filters(size // 2 + 1, rate)
    return np.log(np.maximum(mel, FLOOR)).astype(np.float32).reshape(frames, WINDOWS, BANDS)


def _filters(bins: int, rate: int) -> np.ndarray:
    """(bins, 80) float32."""
    from torchaudio.functional import melscale_fbanks

    return melscale_fbanks(bins, 0.0, rate / 2, BANDS, rate, norm="slaney", mel_scale="slaney").numpy()
