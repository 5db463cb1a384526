"""Regions of a picture cut out at one scale, for measures of what people look at.

Axes: T frames, K keypoints of the region.
"""

import cv2
import numpy as np


def square_boxes(keypoints_TK2: np.ndarray, room: float) -> np.ndarray:
    """A square around the keypoints of each frame: (T, 3) int64, its left, top and side in pixels.

    Its side is the same in all frames, so that what moves is never taken for what is zoomed: the median over frames of
    the longer side of the keypoints' box, times `room`.
    """
    low, high = keypoints_TK2.min(1).astype(np.float64), keypoints_TK2.max(1).astype(np.float64)
    side = max(round(room * float(np.median((high - low).max(1)))), 1)
    corner = np.round((low + high - side) / 2).astype(np.int64)
    return np.concatenate([corner, np.full((len(corner), 1), side)], 1)


def cut(frames: np.ndarray, boxes: np.ndarray, side: int | None = None) -> np.ndarray:
    """The boxes out of their frames, edges repeated outside of the picture: (T, S, S, 3) uint8.

    frames: (T, H, W, 3) uint8. boxes: (T, 3) as `square_boxes` gives them. side: of the result; None: as cut.
    """
    pieces = []
    for frame, (left, top, length) in zip(frames, boxes, strict=True):
        rows, columns = (
            np.clip(np.arange(first, first + length), 0, most - 1)
            for first, most in zip((top, left), frame.shape[:2], strict=True)
        )
        piece = frame[np.ix_(rows, columns)]
        if side is not None and side != length:
            how = cv2.INTER_AREA if side < length else cv2.INTER_LINEAR
            piece = cv2.resize(piece, (side, side), interpolation=how)
        pieces.append(piece)
    return np.stack(pieces)
