"""The published SyncNet: lips and speech in one space of 1024 dimensions.

Chung and Zisserman, "Out of time: automated lip sync in the wild", ACCV 2016 workshop. Names and shapes of the layers
are those of the official weights, syncnet_v2.model, which is a state dict.

Axes: B batch, C channels, F frames of a window, H W pixels, T frames, N windows, D embedding.
"""

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from cospeech.audio.mfcc import mfcc
from cospeech.metric_networks.weights import fill, load_state
from cospeech.models.perception.sync import WINDOW
from cospeech.pose import skeleton as sk

SIDE, FPS, RATE = 224, 25, 16000
_STEPS = 4
"""MFCC frames a video frame."""
_BATCH = 16
_BROW_TO_CHIN = 1.45
"""Height of the box a face detector (S3FD) gives, in distances from brows to chin: forehead above."""
_ROOM = 0.4
"""Of half the box: what SyncNet's own cutting leaves beside and below it."""


def _conv2d(inputs: int, outputs: int, kernel: tuple[int, int] = (3, 3), padding: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, padding=padding), nn.BatchNorm2d(outputs), nn.ReLU()]


def _conv3d(
    inputs: int, outputs: int, kernel: tuple[int, int, int], stride: int = 1, padding: int = 0
) -> list[nn.Module]:
    steps, around = (1, stride, stride), (0, padding, padding)
    return [nn.Conv3d(inputs, outputs, kernel, steps, around), nn.BatchNorm3d(outputs), nn.ReLU()]


def _head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 1024))


class SyncNetNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_conv2d(1, 64), nn.Identity(),
            *_conv2d(64, 192), nn.MaxPool2d((3, 3), (1, 2)),
            *_conv2d(192, 384), *_conv2d(384, 256), *_conv2d(256, 256), nn.MaxPool2d((3, 3), (2, 2)),
            *_conv2d(256, 512, (5, 4), 0),
        )  # fmt: skip
        self.netcnnlip = nn.Sequential(
            *_conv3d(3, 96, (5, 7, 7), 2), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_conv3d(96, 256, (1, 5, 5), 2, 1), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_conv3d(256, 256, (1, 3, 3), 1, 1), *_conv3d(256, 256, (1, 3, 3), 1, 1),
            *_conv3d(256, 256, (1, 3, 3), 1, 1), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_conv3d(256, 512, (1, 6, 6)),
        )  # fmt: skip
        self.netfcaud, self.netfclip = _head(), _head()

    def speech(self, mfcc_BCM: torch.Tensor) -> torch.Tensor:
        """(B, 13, 20) coefficients over time -> (B, 1024)."""
        return self.netfcaud(self.netcnnaud(mfcc_BCM[:, None]).flatten(1))

    def lips(self, faces_BCFHW: torch.Tensor) -> torch.Tensor:
        """(B, 3, 5, 224, 224), BGR in 0..255 -> (B, 1024)."""
        return self.netfclip(self.netcnnlip(faces_BCFHW).flatten(1))


class SyncNet:
    def __init__(self, weights: Path, device: torch.device, key: str = "syncnet") -> None:
        net = SyncNetNet()
        fill(net, load_state(weights, key), key)
        self._net, self._device = net.to(device), device

    @torch.no_grad()
    def lips(self, frames: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """(T, H, W, 3) uint8 RGB at 25 fps, (T, 133, 2) -> (T - 4, 1024); row i covers frames i to i + 4."""
        faces = torch.from_numpy(face_crops(frames, keypoints)[..., ::-1].copy()).permute(3, 0, 1, 2)
        starts = range(len(frames) - WINDOW + 1)
        found = []
        for first in starts[::_BATCH]:
            batch = [faces[:, start : start + WINDOW] for start in starts[first : first + _BATCH]]
            found.append(self._net.lips(torch.stack(batch).float().to(self._device)).cpu().numpy())
        return np.concatenate(found)

    @torch.no_grad()
    def speech(self, samples: np.ndarray, frames: int) -> np.ndarray:
        """(S,) at 16 kHz, of a clip of `frames` frames -> (frames - 4, 1024)."""
        coefficients = torch.from_numpy(mfcc(samples, RATE)).float()
        missing = _STEPS * frames - len(coefficients)  # the last 25 ms do not fill their window
        coefficients = torch.cat([coefficients, coefficients[-1:].expand(max(missing, 0), -1)])
        windows = coefficients.unfold(0, _STEPS * WINDOW, _STEPS)[: frames - WINDOW + 1]
        return torch.cat([self._net.speech(part.to(self._device)) for part in windows.split(64)]).cpu().numpy()


def face_crops(frames: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Faces cut out as SyncNet's own pipeline does: a square about the detector's box, with room beside and below.

    The box is that of S3FD, reckoned from brows and chin and smoothed over time by a median of 13 frames.
    (T, H, W, 3), (T, 133, 2) -> (T, 224, 224, 3).
    """
    from scipy.ndimage import median_filter

    face = keypoints[:, sk.FACE].astype(np.float64)
    low, high = face.min(1), face.max(1)
    height = _BROW_TO_CHIN * (high[:, 1] - low[:, 1])
    box = np.stack([(low[:, 0] + high[:, 0]) / 2, high[:, 1] - height / 2, height / 2], 1)
    crops = np.empty((len(frames), SIDE, SIDE, 3), np.uint8)
    for index, (x, y, half) in enumerate(median_filter(box, size=(13, 1), mode="nearest")):
        side = 2 * half * (1 + _ROOM)
        scale = SIDE / max(side, 1.0)
        matrix = np.array([[scale, 0, -scale * (x - side / 2)], [0, scale, -scale * (y - half)]])
        crops[index] = cv2.warpAffine(
            frames[index], matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT, borderValue=(110, 110, 110),
        )  # fmt: skip
    return crops
