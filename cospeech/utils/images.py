"""Convert images between uint8 arrays and network tensors."""

import numpy as np
import torch


def to_tensor(frames: np.ndarray) -> torch.Tensor:
    """Convert (T, H, W, 3) uint8 to (T, 3, H, W) float32 in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_images(frames_BCHW: torch.Tensor) -> np.ndarray:
    """Convert (T, 3, H, W) in about -1..1 to (T, H, W, 3) uint8, rounded and clamped."""
    pixels = ((frames_BCHW.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).cpu().numpy()


def evenly_spaced(length: int, count: int) -> np.ndarray:
    """Return at most `count` of `length` indices, evenly spaced from the first to the last; none if `length` is 0.

    >>> evenly_spaced(10, 4).tolist()
    [0, 3, 6, 9]
    """
    return np.unique(np.linspace(0, length - 1, min(count, length)).round().astype(int))
