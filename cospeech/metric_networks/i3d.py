"""What FVD looks through: I3D trained on Kinetics-400 (Carreira and Zisserman, CVPR 2017; Unterthiner et al. 2018).

Inception-v1 with every filter inflated over time; padding is TensorFlow's "same". Names are those of the state dict
that is passed around as rgb_imagenet.pt or i3d_pretrained_400.pt (DeepMind's weights for PyTorch).

Axes: B batch, C channels, T frames, H W pixels.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from cospeech.metric_networks.weights import fill, load_state

_SIDE = 224
LEAST_FRAMES = 9
"""Eight frames become one step in time, and the last pooling needs two."""
_MIXED = {  # channels of the branches: 1x1; 1x1 then 3x3; 1x1 then 3x3; pooled then 1x1
    "3b": (192, 64, 96, 128, 16, 32, 32), "3c": (256, 128, 128, 192, 32, 96, 64),
    "4b": (480, 192, 96, 208, 16, 48, 64), "4c": (512, 160, 112, 224, 24, 64, 64),
    "4d": (512, 128, 128, 256, 24, 64, 64), "4e": (512, 112, 144, 288, 32, 64, 64),
    "4f": (528, 256, 160, 320, 32, 128, 128), "5b": (832, 256, 160, 320, 32, 128, 128),
    "5c": (832, 384, 192, 384, 48, 128, 128),
}  # fmt: skip


def _pad_same(x: torch.Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> torch.Tensor:
    """Zeros around T, H, W so that each becomes ceil(size / stride), the odd one behind."""
    sides: list[int] = []
    for size, k, s in zip(x.shape[2:], kernel, stride, strict=True):
        total = max(k - (size % s or s), 0)
        sides = [total // 2, total - total // 2, *sides]
    return F.pad(x, sides)


class _Unit(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, last: bool = False) -> None:
        super().__init__()
        self.kernel, self.stride = (kernel,) * 3, (stride,) * 3
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, bias=last)
        self.bn = None if last else nn.BatchNorm3d(outputs, eps=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv3d(_pad_same(x, self.kernel, self.stride))
        return x if self.bn is None else torch.relu(self.bn(x))


class _Pool(nn.Module):
    def __init__(self, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.max_pool3d(_pad_same(x, self.kernel, self.stride), self.kernel, self.stride)


class _Mixed(nn.Module):
    def __init__(self, inputs: int, one: int, two_in: int, two: int, three_in: int, three: int, four: int) -> None:
        super().__init__()
        self.b0 = _Unit(inputs, one)
        self.b1a, self.b1b = _Unit(inputs, two_in), _Unit(two_in, two, 3)
        self.b2a, self.b2b = _Unit(inputs, three_in), _Unit(three_in, three, 3)
        self.b3a, self.b3b = _Pool((3, 3, 3), (1, 1, 1)), _Unit(inputs, four)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branches = (self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x)))
        return torch.cat(branches, 1)


class I3DNet(nn.Module):
    """(B, 3, T, 224, 224) in -1..1 -> (B, 400) logits, mean over time."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = _Unit(3, 64, 7, 2)
        self.MaxPool3d_2a_3x3 = _Pool((1, 3, 3), (1, 2, 2))
        self.Conv3d_2b_1x1 = _Unit(64, 64)
        self.Conv3d_2c_3x3 = _Unit(64, 192, 3)
        self.MaxPool3d_3a_3x3 = _Pool((1, 3, 3), (1, 2, 2))
        for name, channels in _MIXED.items():
            if name == "4b":
                self.MaxPool3d_4a_3x3 = _Pool((3, 3, 3), (2, 2, 2))
            if name == "5b":
                self.MaxPool3d_5a_2x2 = _Pool((2, 2, 2), (2, 2, 2))
            self.add_module(f"Mixed_{name}", _Mixed(*channels))
        self.avg_pool = nn.AvgPool3d((2, 7, 7), stride=1)
        self.logits = _Unit(1024, 400, last=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.children():  # in the order in which they were made
            x = layer(x)
        return x.flatten(2).mean(2)


class I3D:
    def __init__(self, weights: Path, device: torch.device, key: str = "i3d") -> None:
        net = I3DNet()
        fill(net, load_state(weights, key), key)
        self._net, self._device = net.to(device), device

    @torch.no_grad()
    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """One vector a video: (T, H, W, 3) uint8, T at least 9 -> (400,) float32."""
        if len(frames) < LEAST_FRAMES:
            raise ValueError(f"I3D needs {LEAST_FRAMES} frames or more, got {len(frames)}")
        x = torch.from_numpy(np.ascontiguousarray(frames)).permute(3, 0, 1, 2)[None].float()
        size = (len(frames), _SIDE, _SIDE)
        x = F.interpolate(x.to(self._device), size, mode="trilinear", align_corners=False)
        return self._net(x / 127.5 - 1)[0].cpu().numpy()
