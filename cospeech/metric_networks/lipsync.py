"""Who judges lip-sync: the published SyncNet where its weights are given, else an expert trained on a corpus.

Axes: T frames, S samples, N M windows, D embedding.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from cospeech.harness.files import file_digest
from cospeech.metric_networks.syncnet import FPS, RATE, SyncNet
from cospeech.models.perception.sync import SyncExpert
from cospeech.pose.mouth_crop import mouth_crops


@dataclass(frozen=True)
class Sound:
    """Of a whole clip. mel: (T, 4, 80) natural logarithm. samples: (S,) float32 in -1..1, at `rate`."""

    mel: np.ndarray
    samples: np.ndarray
    rate: int


class SyncJudge(Protocol):
    """source: which network it is, for people; scores compare under one source only."""

    source: str

    def lips(self, frames: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """(T, H, W, 3) uint8, (T, 133, 2) pixels -> (T - 4, D); row i covers frames i to i + 4."""

    def speech(self, sound: Sound) -> np.ndarray:
        """(T - 4, D) of the whole clip."""


class ExpertJudge:
    """An expert of train_sync."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.source = f"lip-sync expert {folder.name}, not the published SyncNet"
        self._net = SyncExpert.from_pretrained(folder).to(device).eval()
        self._device = device

    def lips(self, frames: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        crops = torch.from_numpy(mouth_crops(frames, keypoints)).permute(0, 3, 1, 2).float() / 255
        return self._net.embed_lips(crops.to(self._device)).cpu().numpy()

    def speech(self, sound: Sound) -> np.ndarray:
        return self._net.embed_speech(torch.from_numpy(sound.mel).to(self._device)).cpu().numpy()


class SyncNetJudge:
    """The published SyncNet."""

    def __init__(self, weights: Path, device: torch.device, key: str) -> None:
        self._net = SyncNet(weights, device, key)
        self.source = f"SyncNet, {weights.name}, SHA-256 {file_digest(weights)[:12]}"

    def lips(self, frames: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        return self._net.lips(frames, keypoints)

    def speech(self, sound: Sound) -> np.ndarray:
        return self._net.speech(sound.samples, len(sound.mel))


def load_judge(path: Path, device: torch.device, fps: int, rate: int, key: str) -> SyncJudge:
    """A folder holds an expert of train_sync; a file the official weights of SyncNet.

    Raises:
        ValueError: neither is there, or footage at a rate that SyncNet does not know.
    """
    if path.is_dir():
        return ExpertJudge(path, device)
    if (fps, rate) != (FPS, RATE):
        raise ValueError(f"{key}: SyncNet knows {FPS} fps and {RATE} Hz, but media has {fps} fps and {rate} Hz")
    return SyncNetJudge(path, device, key)
