"""Pictures between uint8 and network tensors."""

import numpy as np
import torch


def to_tensor(frames: np.ndarray) -> torch.Tensor:
    """(T, H, W, 3) uint8 -> (T, 3, H, W) float32 in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pictures(frames_BCHW: torch.Tensor) -> np.ndarray:
    """(T, 3, H, W) near -1..1 -> (T, H, W, 3) uint8, rounded and cut to the range."""
    pixels = ((frames_BCHW.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).cpu().numpy()


def spread(length: int, count: int) -> np.ndarray:
    """At most `count` of `length` indices, evenly from the first to the last; none of none.

    >>> spread(10, 4).tolist()
    [0, 3, 6, 9]
    """
    return np.unique(np.linspace(0, length - 1, min(count, length)).round().astype(int))
