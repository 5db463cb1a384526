"""Frames between uint8 pictures and network tensors, their PSNR, and sheets that show them side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from stages.lib.media import contact_sheet, save_png


def to_tensor(frames: np.ndarray) -> torch.Tensor:
    """(T, H, W, 3) uint8 -> (T, 3, H, W) float32 in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pictures(frames_BCHW: torch.Tensor) -> np.ndarray:
    """(T, 3, H, W) near -1..1 -> (T, H, W, 3) uint8, rounded and cut to the range."""
    pixels = ((frames_BCHW.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).cpu().numpy()


def psnr(made: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio of each picture, dB: (T, H, W, 3) uint8 twice -> (T,)."""
    error = np.square(made.astype(np.float64) - truth.astype(np.float64)).mean((1, 2, 3))
    return 10 * np.log10(255**2 / np.maximum(error, 1e-4))


def save_sheet(path: Path, columns: Sequence[np.ndarray]) -> Path:
    """A row an index: the index-th picture of each of `columns` (each (N, H, W, 3) uint8) side by side."""
    rows = np.stack(columns, 1)
    save_png(path, contact_sheet(rows.reshape(-1, *rows.shape[2:]), len(columns)))
    return path
