"""Poses that wait until there are enough of them to draw."""

import numpy as np


class PoseQueue:
    """First in, first out. keypoints: (T, 133, 2); confidence: (T, 133)."""

    def __init__(self) -> None:
        self._keypoints, self._confidence = np.zeros((0, 133, 2), np.float32), np.zeros((0, 133), np.float32)

    def __len__(self) -> int:
        return len(self._keypoints)

    def put(self, keypoints: np.ndarray, confidence: np.ndarray) -> None:
        self._keypoints = np.concatenate([self._keypoints, keypoints])
        self._confidence = np.concatenate([self._confidence, confidence])

    def take(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The first `count`."""
        taken = self._keypoints[:count], self._confidence[:count]
        self._keypoints, self._confidence = self._keypoints[count:], self._confidence[count:]
        return taken

    def hold(self, count: int) -> None:
        """The last one `count` times more; there must be one."""
        self.put(self._keypoints[-1:].repeat(count, 0), self._confidence[-1:].repeat(count, 0))
