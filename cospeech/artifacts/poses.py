"""Keypoints of one clip."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cospeech.artifacts.tensors import load_arrays, save_arrays

KEYPOINTS = 133


@dataclass(frozen=True)
class Poses:
    """COCO-WholeBody keypoints.

    keypoints: (T, 133, 2) float32, x y in pixels of the clip, origin at the outer corner of the top left pixel; finite.
    confidence: (T, 133) float32 in 0..1; 0 where the point was not seen.
    size: side of the square clip in pixels. backend: which detector wrote them.
    """

    keypoints: np.ndarray
    confidence: np.ndarray
    size: int
    backend: str

    def __post_init__(self) -> None:
        frames = len(self.keypoints)
        assert self.keypoints.shape == (frames, KEYPOINTS, 2), self.keypoints.shape
        assert self.confidence.shape == (frames, KEYPOINTS), self.confidence.shape
        assert np.isfinite(self.keypoints).all()

    def save(self, path: Path) -> None:
        arrays = {
            "keypoints": self.keypoints.astype(np.float32, copy=False),
            "confidence": self.confidence.astype(np.float32, copy=False),
        }
        save_arrays(path, "poses", 1, arrays, {"size": str(self.size), "backend": self.backend})

    @classmethod
    def load(cls, path: Path) -> "Poses":
        arrays, metadata = load_arrays(path, "poses", 1)
        return cls(arrays["keypoints"], arrays["confidence"], int(metadata["size"]), metadata["backend"])
