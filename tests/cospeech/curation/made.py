"""Keypoints and sound of a person who stands well in the picture, to be spoilt by tests."""

import numpy as np

from cospeech.artifacts import AudioFeatures
from cospeech.pose.track import PoseTrack

SIZE = 256
UPPER_LIP, LOWER_LIP = [84, 85, 86], [90, 89, 88]


def mouth_curve(frames: int, seed: int = 0) -> np.ndarray:
    """(T,) opening of a talking mouth in 0..1: syllables of irregular length."""
    rng = np.random.default_rng(seed)
    beats = rng.normal(size=frames + 8)
    smooth = np.convolve(beats, np.hanning(7) / np.hanning(7).sum(), mode="same")[4:-4]
    return np.clip(0.5 + smooth, 0, 1)


def good_poses(frames: int, opening: np.ndarray | None = None) -> PoseTrack:
    """Everything is seen with confidence 0.98; the lips open by `opening` (T,) times 8 pixels."""
    one = np.full((133, 2), 128.0)
    one[5:11] = [[160, 110], [96, 110], [170, 150], [86, 150], [150, 180], [106, 180]]
    one[11:17], one[17:23] = [128, 230], [128, 250]
    angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    one[23:91] = np.stack([128 + 18 * np.cos(angle), 60 + 22 * np.sin(angle)], 1)
    one[59:65], one[65:71] = [118, 52], [138, 52]
    one[UPPER_LIP] = one[LOWER_LIP] = [128, 72]
    one[91:112], one[112:133] = [152, 190], [104, 190]
    keypoints = np.repeat(one[None], frames, 0)
    keypoints[:, LOWER_LIP, 1] += 8 * (opening if opening is not None else mouth_curve(frames))[:, None]
    return PoseTrack(keypoints.astype(np.float32), np.full((frames, 133), 0.98, np.float32), (SIZE, SIZE))


def good_features(frames: int, loudness: np.ndarray | None = None) -> AudioFeatures:
    """Speech throughout, as loud as the mouth is open."""
    curve = loudness if loudness is not None else mouth_curve(frames)
    mel = np.repeat((-6 + 6 * curve)[:, None, None], 4, 1) + np.zeros((1, 1, 80))
    return AudioFeatures(mel.astype(np.float32), np.full(frames, 0.97, np.float32), None)
