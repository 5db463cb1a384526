"""Log-mel power spectrogram aligned to the video: every video frame has the same number of windows.

S samples, T video frames.
"""

import math
from functools import lru_cache

import numpy as np

BANDS = 80
WINDOWS = 4
"""Windows per video frame: 10 ms apart at 25 frames per second."""
WINDOW_SECONDS = 0.025
FLOOR = 1e-6
"""Least power, which keeps the logarithm of digital silence finite; a quiet room is just above it."""
SILENCE = math.log(FLOOR)
"""Log-mel of digital silence, which pads a recording on both sides."""


def window_centres(frames: int, fps: float, rate: int, first: int = 0) -> np.ndarray:
    """Return the sample index of the centre of every window, (T, 4) int64, for `frames` frames from `first` on.

    Window m of frame t is centred at (t + (m + 0.5) / 4) / fps seconds: the four divide the frame's time evenly, and
    none is centred outside it.
    """
    seconds = (first + np.arange(frames)[:, None] + (np.arange(WINDOWS) + 0.5) / WINDOWS) / fps
    return np.rint(seconds * rate).astype(np.int64)


def log_mel(speech: np.ndarray, rate: int, frames: int, fps: float) -> np.ndarray:
    """Compute the natural logarithm of mel power.

    Periodic Hann windows of 25 ms, FFT of the next power of two, Slaney mel bands of unit area from 0 to rate / 2.
    The recording is padded with silence.

    Args:
        speech: (S,) float in -1..1.

    Returns:
        (T, 4, 80) float32.
    """
    half = _half_window(rate)
    centres = window_centres(frames, fps, rate)
    tail = max(0, int(centres[-1, -1]) + half - len(speech)) if frames else 0
    return _mel_at(np.pad(speech.astype(np.float32), (half, tail)), centres + half, rate)


class LogMelStream:
    """`log_mel` of live speech: push samples, get the features of every frame that they complete.

    A frame is complete `look_ahead` seconds after its end. Holds less than a frame and a window of samples.
    """

    def __init__(self, rate: int, fps: float) -> None:
        self._rate, self._fps, self._half = rate, fps, _half_window(rate)
        self._kept = np.zeros(self._half, np.float32)  # silence before the recording
        self._kept_from, self._heard, self._frames = -self._half, 0, 0

    @property
    def look_ahead(self) -> float:
        """Seconds by which a frame's last window extends past the frame's end."""
        return float(window_centres(1, self._fps, self._rate)[0, -1] + self._half) / self._rate - 1 / self._fps

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Add the next samples, (S,) float in -1..1; return (T, 4, 80) of the frames now complete, maybe none."""
        self._kept = np.concatenate([self._kept, samples.astype(np.float32)])
        self._heard += len(samples)
        ready = self._frames
        while self._last_sample(ready) <= self._heard:
            ready += 1
        return self._advance(ready)

    def finish(self) -> np.ndarray:
        """Return the features of the remaining frames, padding with silence; a frame that has begun counts."""
        frames = max(self._frames, int(np.ceil(self._heard * self._fps / self._rate - 1e-9)))
        missing = max(0, self._last_sample(frames - 1) - self._heard) if frames else 0
        self._kept = np.pad(self._kept, (0, missing))
        return self._advance(frames)

    def _last_sample(self, frame: int) -> int:
        """Return the end (exclusive) of the samples that the frame needs."""
        return int(self._centres(frame, frame + 1)[0, -1]) + self._half

    def _centres(self, start: int, stop: int) -> np.ndarray:
        return window_centres(stop - start, self._fps, self._rate, start)

    def _advance(self, ready: int) -> np.ndarray:
        centres = self._centres(self._frames, ready)
        mel = _mel_at(self._kept, centres - self._kept_from, self._rate)
        self._frames = ready
        unused = int(self._centres(ready, ready + 1)[0, 0]) - self._half - self._kept_from
        self._kept, self._kept_from = self._kept[unused:], self._kept_from + unused
        return mel


def _half_window(rate: int) -> int:
    return round(WINDOW_SECONDS * rate / 2)


def _mel_at(samples: np.ndarray, centres: np.ndarray, rate: int) -> np.ndarray:
    """Return log-mel (T, 4, 80) of the windows around `centres` (T, 4), indices into `samples`.

    Computed frame by frame: a matrix product with more rows rounds differently on some CPUs, and features would depend
    on how the sound was cut into pieces.
    """
    width = 2 * _half_window(rate)
    size = 1 << (width - 1).bit_length()
    mel = np.empty((len(centres), WINDOWS, BANDS), np.float32)
    for frame, starts in enumerate(centres[..., None] - width // 2):
        power = np.abs(np.fft.rfft(samples[starts + np.arange(width)] * _hann(width), size)) ** 2
        mel[frame] = np.log(np.maximum(power @ _filters(size // 2 + 1, rate), FLOOR))
    return mel


@lru_cache(maxsize=4)
def _hann(width: int) -> np.ndarray:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(width) / width)).astype(np.float32)


@lru_cache(maxsize=4)
def _filters(bins: int, rate: int) -> np.ndarray:
    """Return the mel filter bank, (bins, 80) float32."""
    from torchaudio.functional import melscale_fbanks

    return melscale_fbanks(bins, 0.0, rate / 2, BANDS, rate, norm="slaney", mel_scale="slaney").numpy()
