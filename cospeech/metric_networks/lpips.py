"""LPIPS of frames (Zhang et al., CVPR 2018), version 0.1, as `cospeech.models.perception.lpips` computes it.

Axes: T frames, H W pixels.
"""

from pathlib import Path

import numpy as np
import torch

from cospeech.models.perception.lpips import load_lpips

_BATCH = 16


class Lpips:
    def __init__(self, weights: Path, device: torch.device, key: str = "lpips") -> None:
        """weights: of torchvision's AlexNet (what papers report) or VGG16, as safetensors."""
        try:
            self._net = load_lpips(weights).distance.to(device)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from error
        self._net.spatial = False
        self._device = device

    @torch.no_grad()
    def __call__(self, made: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """LPIPS of every frame.

        Sum over five layers of the mean over places of w . (a - b)^2, a and b the channels of either picture scaled to
        length 1, w the published weights. Without unit, from 0 upwards, 0 where frames are equal; lower is better.
        (T, H, W, 3) uint8 twice -> (T,).
        """
        pairs = zip(self._batches(made), self._batches(truth), strict=True)
        return torch.cat([self._net(a, b).flatten() for a, b in pairs]).double().cpu().numpy()

    def _batches(self, frames: np.ndarray) -> list[torch.Tensor]:
        pictures = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
        return [part.float().to(self._device) / 127.5 - 1 for part in pictures.split(_BATCH)]
