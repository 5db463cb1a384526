"""Motion from the voice without learning, to compare with: the motion of the nearest training audio, the mean pose.

Axes: T frames, F frames of a window, M mel windows a frame, C mel bands, N windows of the training clips.
"""

from collections.abc import Sequence

import numpy as np

from cospeech.datasets.motion_clips import MovingClip
from cospeech.motion.representation import offsets, pose

WINDOW = 10
"""Frames compared at once, as many as the model hears."""
_MOST = 20_000
"""Training windows kept; of longer footage every second, third, ... one."""


class Retrieval:
    """Every window of log-mel finds the training window nearest to it, from any clip; each frame gets the mean of what
    the windows around it found, those that it lies in the middle of counting most, so the motion is smooth."""

    def __init__(self, clips: Sequence[MovingClip]) -> None:
        """Motion is kept as offsets from the first pose of its clip."""
        mel = np.concatenate([clip.mel.mean(1) for clip in clips])
        self._mean, self._std = mel.mean(0), mel.std(0).clip(1e-3)
        every = slice(None, None, 1 + len(mel) // _MOST)
        self._heard = np.concatenate([self._windows(clip.mel)[every] for clip in clips])
        moved = [[_windows(part)[every] for part in offsets(clip.keypoints, clip.keypoints[0])] for clip in clips]
        self._posture, self._speech = (np.concatenate(part) for part in zip(*moved, strict=True))

    def draw(self, mel_TMC: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """(T, M, C) log-mel, (133, 2) pixels -> keypoints (T, 133, 2)."""
        nearest = [self._nearest(window) for window in self._windows(mel_TMC)]
        return pose(_blended(self._posture[nearest]), _blended(self._speech[nearest]), reference)

    def _nearest(self, window: np.ndarray) -> int:
        return int(np.square(self._heard - window).sum(1).argmin())

    def _windows(self, mel_TMC: np.ndarray) -> np.ndarray:
        windows = _windows((mel_TMC.mean(1) - self._mean) / self._std)
        return windows.reshape(len(windows), -1)


class MeanPose:
    """The mean of how training people hold themselves, away from the first pose of their clip."""

    def __init__(self, clips: Sequence[MovingClip]) -> None:
        moved = [offsets(clip.keypoints, clip.keypoints[0]) for clip in clips]
        self._posture, self._speech = (np.concatenate(part).mean(0) for part in zip(*moved, strict=True))

    def draw(self, mel_TMC: np.ndarray, reference: np.ndarray) -> np.ndarray:
        frames = (len(mel_TMC), 1)
        return pose(np.tile(self._posture, frames), np.tile(self._speech, frames), reference)


def _windows(values: np.ndarray) -> np.ndarray:
    """The window around each frame, the ends held: (T, Q) -> (T, F, Q)."""
    padded = np.pad(values, ((WINDOW // 2, WINDOW // 2 - 1), (0, 0)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=0).transpose(0, 2, 1)


def _blended(windows_TFQ: np.ndarray) -> np.ndarray:
    """Overlapping windows, one around each frame, as one track (T, Q)."""
    frames, width, size = windows_TFQ.shape
    weight = np.hanning(width + 2)[1:-1]
    total, track = np.zeros(frames + width), np.zeros((frames + width, size))
    for place in range(width):
        total[place : place + frames] += weight[place]
        track[place : place + frames] += weight[place] * windows_TFQ[:, place]
    inside = slice(width // 2, width // 2 + frames)
    return track[inside] / total[inside, None]
