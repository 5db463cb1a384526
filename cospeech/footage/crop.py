"""Which square of the picture shows the speaker."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cospeech.pose import skeleton as sk

_SEEN = 0.3
_HEAD_ROOM = 0.6
"""Above the topmost face point (a brow), in heights of the face points: forehead, hair and some air."""
_MARGIN = 0.08
_UPPER_BODY = np.concatenate([np.arange(5, 11), np.arange(23, 133)])


@dataclass(frozen=True)
class Crop:
    """A square of `size` pixels with its top left corner at x, y."""

    x: int
    y: int
    size: int

    def cut(self, frame: np.ndarray) -> np.ndarray:
        return frame[self.y : self.y + self.size, self.x : self.x + self.size]


def shows_face(confidence: np.ndarray) -> bool:
    """Whether a detection, confidence (133,), has a face; without one its head cannot be placed."""
    return bool(confidence[sk.FACE].max() > _SEEN)


def find_crop(people: Sequence[tuple[np.ndarray, np.ndarray]], width: int, height: int) -> Crop:
    """The smallest square around head, shoulders, elbows and hands in all sampled frames, with a margin.

    It stays inside the picture. Where the speaker needs more than the picture's shorter side, that side is used, and
    the head is kept rather than what is below.

    Args:
        people: keypoints (133, 2) in pixels and confidence (133,) of sampled frames that show a face.
    """
    boxes = np.array([_box(keypoints, confidence) for keypoints, confidence in people])
    left, top = np.quantile(boxes[:, :2], 0.05, axis=0)
    right, bottom = np.quantile(boxes[:, 2:], 0.95, axis=0)
    left, right = np.clip([left, right], 0, width)
    top, bottom = np.clip([top, bottom], 0, height)
    wanted = max(right - left, bottom - top) * (1 + 2 * _MARGIN)
    size = int(min(wanted, width, height))
    x = (left + right - size) / 2
    y = (top + bottom - size) / 2 if bottom - top <= size else top
    return Crop(int(np.clip(x, 0, width - size)), int(np.clip(y, 0, height - size)), size)


def _box(keypoints: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """(4,) left, top, right, bottom of the seen upper body with head room."""
    chosen = _UPPER_BODY[confidence[_UPPER_BODY] > _SEEN]
    points = keypoints[chosen] if len(chosen) else keypoints[_UPPER_BODY]
    face = keypoints[sk.FACE]
    top = face[:, 1].min() - _HEAD_ROOM * np.ptp(face[:, 1])
    return np.array([points[:, 0].min(), min(top, points[:, 1].min()), *points.max(0)])
