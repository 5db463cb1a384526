"""Keypoints of one person over time, as they travel from a detector to attention, losses and measures.

Axes: T frames, K keypoints.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

VISIBLE = 0.3
"""Least confidence of a visible keypoint, as in the drawings of DWPose (arXiv 2307.15880): its code hides the rest."""
CLEARLY_VISIBLE = 0.5
"""Confidence above which curation counts a keypoint: stricter, for what it lets through is learned from."""


@dataclass(frozen=True)
class PoseTrack:
    """Keypoints of T frames with their confidence and the size of the picture.

    keypoints: (T, K, 2) float32, x y in pixels, origin at the outer corner of the top left pixel. K is 133, in the
    order of `skeleton`, or fewer after `points`. confidence: (T, K) float32 in 0..1; 0 where a point was not found.
    size: (height, width) of the picture in pixels.

    Raises:
        ValueError: arrays of other shapes.
    """

    keypoints: np.ndarray
    confidence: np.ndarray
    size: tuple[int, int]

    def __post_init__(self) -> None:
        if self.confidence.ndim != 2 or self.keypoints.shape != (*self.confidence.shape, 2):
            raise ValueError(
                f"a pose track has keypoints (T, K, 2) and confidence (T, K), got {self.keypoints.shape} and "
                f"{self.confidence.shape}"
            )

    def __len__(self) -> int:
        return len(self.confidence)

    def __getitem__(self, frames: slice | Sequence[int] | np.ndarray) -> "PoseTrack":
        """The same of some frames."""
        return PoseTrack(self.keypoints[frames], self.confidence[frames], self.size)

    @property
    def normalized(self) -> np.ndarray:
        """(T, K, 2), x y in 0..1 of the picture."""
        return self.keypoints / np.array(self.size[::-1], self.keypoints.dtype)

    @property
    def found(self) -> np.ndarray:
        """(T, K) bool: the detector reports the point, however unsure it is."""
        return self.confidence > 0

    @property
    def visible(self) -> np.ndarray:
        """(T, K) bool."""
        return self.confidence >= VISIBLE

    def points(self, which: np.ndarray) -> "PoseTrack":
        """The keypoints of these indices alone."""
        return PoseTrack(self.keypoints[:, which], self.confidence[:, which], self.size)

    def without(self, which: Sequence[int] | np.ndarray) -> "PoseTrack":
        """As if the keypoints of these indices were not found."""
        confidence = self.confidence.copy()
        confidence[:, which] = 0
        return replace(self, confidence=confidence)

    def resized(self, size: tuple[int, int]) -> "PoseTrack":
        """The same in pixels of the picture resized to `size`, (height, width)."""
        if size == self.size:
            return self
        scale = np.array([size[1] / self.size[1], size[0] / self.size[0]], self.keypoints.dtype)
        return PoseTrack(self.keypoints * scale, self.confidence, size)


def join_tracks(tracks: Sequence[PoseTrack]) -> PoseTrack:
    """One after another.

    Raises:
        ValueError: pictures of several sizes.
    """
    sizes = {track.size for track in tracks}
    if len(sizes) != 1:
        raise ValueError(f"frames of one size are needed, got {', '.join(f'{w}x{h}' for h, w in sorted(sizes))}")
    keypoints, confidence = [track.keypoints for track in tracks], [track.confidence for track in tracks]
    return PoseTrack(np.concatenate(keypoints), np.concatenate(confidence), tracks[0].size)
