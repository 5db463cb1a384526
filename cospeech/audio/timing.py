"""Put video frames, samples and the frames of speech models on one clock.

S samples, N frames of a model, T video frames.
"""

import numpy as np

MODEL_RATE = 16000
"""Sample rate in Hz of all pretrained speech models used here."""


def frame_times(frames: int, fps: float) -> np.ndarray:
    """Return the centres of the video frames in seconds, (T,) float64; frame t lasts from t / fps to (t + 1) / fps."""
    return (np.arange(frames) + 0.5) / fps


def interpolate_at(values: np.ndarray, times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Interpolate the values of a model's frames linearly at other times, holding the first and the last value.

    Args:
        values: (N, D) or (N,).
        times: (N,) seconds, ascending: the centres of the model's frames.
        wanted: (T,) seconds.

    Returns:
        (T, D) or (T,) float32.
    """
    assert len(values) == len(times) > 0, (len(values), len(times))
    right = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1))
    if len(times) == 1:
        return np.repeat(values, len(wanted), axis=0).astype(np.float32)
    left = right - 1
    share = np.clip((wanted - times[left]) / (times[right] - times[left]), 0, 1)
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    return (values[left] * (1 - share) + values[right] * share).astype(np.float32)


def resample(speech: np.ndarray, rate: int, wanted: int = MODEL_RATE) -> np.ndarray:
    """Resample (S,) float from `rate` to `wanted` Hz; return float32."""
    if rate == wanted:
        return speech.astype(np.float32)
    import torch
    import torchaudio

    return torchaudio.functional.resample(torch.from_numpy(speech.astype(np.float32)), rate, wanted).numpy()
