"""What FID looks through: TensorFlow's Inception-v3 of 2015 (Heusel et al., NeurIPS 2017), by torch-fidelity.

Axes: T frames, H W pixels, D features.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch

from cospeech.metric_networks.weights import load_state

_BATCH = 16


class Inception:
    def __init__(self, weights: Path, device: torch.device, key: str = "inception") -> None:
        """weights: torch-fidelity's conversion of the official ones (pt_inception-2015-12-05-6726825d.pth)."""
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        state = load_state(weights, key)
        with tempfile.TemporaryDirectory() as folder:  # torch-fidelity trusts its file: it gets one of tensors alone
            path = Path(folder) / "inception.pth"
            torch.save(state, path)
            try:
                net = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(path))
            except RuntimeError as error:
                first = " ".join(str(error).split())[:200]
                raise ValueError(f"{key}: {weights} does not fit Inception-v3: {first}") from error
        self._net, self._device = net.to(device), device

    @torch.no_grad()
    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Pool features: (T, H, W, 3) uint8 -> (T, 2048) float32."""
        pictures = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
        return torch.cat([self._net(part.to(self._device))[0] for part in pictures.split(_BATCH)]).cpu().numpy()
