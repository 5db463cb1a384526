"""Lay out frames as contact sheets, and write PNG files."""

from pathlib import Path

import cv2
import numpy as np

from cospeech.harness.files import atomic_path


def contact_sheet(frames: np.ndarray, columns: int) -> np.ndarray:
    """Lay out N images (N, H, W, 3) in rows of `columns`; black fills the last row."""
    count, height, width, channels = frames.shape
    rows = -(-count // columns)
    padded = np.zeros((rows * columns, height, width, channels), frames.dtype)
    padded[:count] = frames
    grid = padded.reshape(rows, columns, height, width, channels)
    return grid.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)


def save_png(path: Path, image: np.ndarray) -> None:
    """Write an RGB image (H, W, 3) uint8 as PNG."""
    with atomic_path(path) as temporary:
        if not cv2.imwrite(str(temporary), np.ascontiguousarray(image[..., ::-1])):
            raise OSError(f"{path}: OpenCV could not write the PNG")
