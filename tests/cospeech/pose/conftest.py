"""Frames of a real person, cut square and small."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from cospeech.media import iter_frames


@pytest.fixture(scope="session")
def person(real_clip_30fps: Path) -> np.ndarray:
    """(20, 256, 256, 3): a man sitting, both hands in the picture."""
    frames = iter_frames(real_clip_30fps)
    square = [next(frames)[500:1580] for _ in range(20)]
    return np.stack([cv2.resize(frame, (256, 256), interpolation=cv2.INTER_AREA) for frame in square])
