"""Face features of frames by ArcFace (Deng et al., CVPR 2019).

Axes: T frames, H W pixels, D features.
"""

from pathlib import Path

import numpy as np
import torch

from cospeech.models.perception.face import align_faces, load_face_net

_BATCH = 16


class ArcFace:
    def __init__(self, weights: Path, device: torch.device, key: str = "arcface") -> None:
        """weights: of an InsightFace iresnet, as safetensors."""
        try:
            self._net = load_face_net(weights).to(device)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from error
        self.source = f"ArcFace, {weights.name}"
        self._device = device

    @torch.no_grad()
    def __call__(self, frames: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
        """(T, H, H, 3) uint8, (T, 133, 2) pixels -> (T, D) float32 of length 1."""
        pictures = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
        places = np.array_split(keypoints / frames.shape[1], range(_BATCH, len(frames), _BATCH))
        found = [
            self._net(align_faces(part.float().to(self._device) / 127.5 - 1, points))
            for part, points in zip(pictures.split(_BATCH), places, strict=True)
        ]
        return torch.cat(found).cpu().numpy()
