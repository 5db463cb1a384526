"""The PSNR of pictures, and sheets that show them side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cospeech.media import contact_sheet, save_png


def save_sheet(path: Path, columns: Sequence[np.ndarray]) -> Path:
    """A row an index: the index-th picture of each of `columns` (each (N, H, W, 3) uint8) side by side."""
    rows = np.stack(columns, 1)
    save_png(path, contact_sheet(rows.reshape(-1, *rows.shape[2:]), len(columns)))
    return path
