"""Contact sheets that show images side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cospeech.media import contact_sheet, save_png


def save_sheet(path: Path, columns: Sequence[np.ndarray]) -> Path:
    """Write a PNG whose row n shows the n-th image of each of `columns`, (N, H, W, 3) uint8 each; return its path."""
    rows = np.stack(columns, 1)
    save_png(path, contact_sheet(rows.reshape(-1, *rows.shape[2:]), len(columns)))
    return path
