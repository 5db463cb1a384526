"""Find the square of the frame that shows the speaker."""

from dataclasses import dataclass

import numpy as np

from cospeech.pose import skeleton as sk
from cospeech.pose.track import PoseTrack

_HEAD_ROOM = 0.6
"""Space above the topmost face point (a brow) for forehead and hair, in heights of the face."""
_MARGIN = 0.08
_UPPER_BODY = np.concatenate([np.arange(5, 11), np.arange(23, 133)])


@dataclass(frozen=True)
class Crop:
    """A square of `size` pixels whose top left corner is at (x, y)."""

    x: int
    y: int
    size: int

    def cut(self, frame: np.ndarray) -> np.ndarray:
        """Return the square of a frame (H, W, 3)."""
        return frame[self.y : self.y + self.size, self.x : self.x + self.size]


def shows_face(track: PoseTrack) -> np.ndarray:
    """Return the frames in which a face is visible, (T,) bool; the face locates the head."""
    return np.any(track.visible[:, sk.FACE], axis=1)


def find_crop(track: PoseTrack) -> Crop:
    """Return the smallest square around head, shoulders, elbows and hands in all sampled frames, with a margin.

    The square stays inside the frame. If the speaker needs more than the frame's shorter side, the square has that side
    and keeps the head.

    Args:
        track: sampled frames that show a face.
    """
    height, width = track.size
    boxes = np.array([_box(*frame) for frame in zip(track.keypoints, track.visible, strict=True)])
    left, top = np.quantile(boxes[:, :2], 0.05, axis=0)
    right, bottom = np.quantile(boxes[:, 2:], 0.95, axis=0)
    left, right = np.clip([left, right], 0, width)
    top, bottom = np.clip([top, bottom], 0, height)
    wanted = max(right - left, bottom - top) * (1 + 2 * _MARGIN)
    size = int(min(wanted, width, height))
    x = (left + right - size) / 2
    y = (top + bottom - size) / 2 if bottom - top <= size else top
    return Crop(int(np.clip(x, 0, width - size)), int(np.clip(y, 0, height - size)), size)


def _box(keypoints: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Return (4,) left, top, right, bottom of the visible upper body with head room."""
    chosen = _UPPER_BODY[visible[_UPPER_BODY]]
    points = keypoints[chosen] if len(chosen) else keypoints[_UPPER_BODY]
    face = keypoints[sk.FACE]
    top = face[:, 1].min() - _HEAD_ROOM * np.ptp(face[:, 1])
    return np.array([points[:, 0].min(), min(top, points[:, 1].min()), *points.max(0)])
