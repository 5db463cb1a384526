"""Face recognition features: the residual network of ArcFace (arXiv 1801.07698), as InsightFace trains it.

Weights come as one safetensors file with the names of InsightFace's PyTorch `iresnet` (conv1, layer1.0.conv1, ...,
features); depth and widths are read from it. From a checkpoint of theirs:

    safetensors.torch.save_file(torch.load("backbone.pth", weights_only=True), "arcface.safetensors")

Axes: S pictures, C channels, H W pixels, K keypoints.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ...pose import skeleton as sk
from ...pose.track import PoseTrack
from ...utils.safetensors import load_tensors

SIDE = 112
"""Pixels a side of an aligned face."""
_TEMPLATE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
"""Where ArcFace has the eyes, the tip of the nose and the corners of the mouth, left in the picture first; pixels."""
_POINTS = (sk.RIGHT_EYE_RING, sk.LEFT_EYE_RING, sk.NOSE_BRIDGE[-1:], [sk.MOUTH_RIGHT], [sk.MOUTH_LEFT])
"""The keypoints whose mean each of these is."""


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x_SCHW: torch.Tensor) -> torch.Tensor:
        out = self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(x_SCHW))))))
        return out + (x_SCHW if self.downsample is None else self.downsample(x_SCHW))


class FaceNet(nn.Module):
    """Aligned faces to features of length 1."""

    def __init__(self, depths: tuple[int, int, int, int], widths: tuple[int, int, int, int], features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.prelu = nn.PReLU(widths[0])
        inputs = widths[0]
        for number, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
            blocks = [_Block(inputs if index == 0 else width, width, 2 if index == 0 else 1) for index in range(depth)]
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
            inputs = width
        self.bn2 = nn.BatchNorm2d(inputs)
        self.fc = nn.Linear(inputs * (SIDE // 16) ** 2, features)
        self.features = nn.BatchNorm1d(features)

    def forward(self, faces_S3HW: torch.Tensor) -> torch.Tensor:
        """faces: (S, 3, 112, 112) RGB in -1..1. Returns (S, features)."""
        x = self.prelu(self.bn1(self.conv1(faces_S3HW)))
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
        return F.normalize(self.features(self.fc(self.bn2(x).flatten(1))), dim=1)


def load_face_net(path: Path) -> FaceNet:
    """In eval mode, without gradients of its weights.

    Raises:
        ValueError: no such file, or one of another network.
    """
    if not path.is_file():
        raise ValueError(
            f"{path}: no such file; it should hold ArcFace weights as safetensors (docs/reference/metrics.md)"
        )
    weights = load_tensors(path)
    try:
        net = FaceNet(*_shape(weights))
        net.load_state_dict(weights)
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"{path}: not the weights of an InsightFace iresnet: {str(error)[:200]}") from error
    return net.eval().requires_grad_(False)


def _shape(weights: Mapping[str, torch.Tensor]) -> tuple[tuple, tuple, int]:
    depths = tuple(
        1 + max(int(name.split(".")[1]) for name in weights if name.startswith(f"layer{number}."))
        if any(name.startswith(f"layer{number}.") for name in weights)
        else 0
        for number in range(1, 5)
    )
    widths = tuple(len(weights[f"layer{number}.0.conv1.weight"]) for number in range(1, 5))
    return depths, widths, len(weights["fc.bias"])


def align_faces(frames_S3HW: torch.Tensor, keypoints_SK2: np.ndarray) -> torch.Tensor:
    """Faces as ArcFace wants them, (S, 3, 112, 112): turned, scaled and moved to its template, differentiable.

    keypoints: x y in 0..1 of the frame. The similarity is that of least squares (Umeyama, 1991; in the plane, with
    points as complex numbers, one factor and one shift).
    """
    points_S52 = np.stack([keypoints_SK2[:, points].mean(1) for points in _POINTS], axis=1)
    z_S5 = points_S52[..., 0] + 1j * points_S52[..., 1]
    wanted_5 = _TEMPLATE[:, 0] + 1j * _TEMPLATE[:, 1]
    middle_S1, wanted_middle = z_S5.mean(1, keepdims=True), wanted_5.mean()
    away_S5 = wanted_5 - wanted_middle  # from the template to the frame, for that is how a grid is sampled
    factor_S1 = ((z_S5 - middle_S1) * away_S5.conj()).sum(1, keepdims=True) / (np.abs(away_S5) ** 2).sum()
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    z_SHW = middle_S1[..., None] + factor_S1[..., None] * (x + 1j * y - wanted_middle)
    grid_SHW2 = torch.from_numpy(np.stack([z_SHW.real, z_SHW.imag], axis=-1) * 2 - 1).to(frames_S3HW)
    return F.grid_sample(frames_S3HW, grid_SHW2, align_corners=False, padding_mode="border")


def faces_visible(track: PoseTrack) -> np.ndarray:
    """(S,) bool: all the points that a face is aligned by are visible."""
    return np.all([track.visible[:, points].all(1) for points in _POINTS], axis=0)
