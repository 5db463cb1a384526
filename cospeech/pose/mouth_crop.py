"""The lower face as a lip-sync model sees it: cut along the eye line, at a fixed scale."""

import cv2
import numpy as np

HEIGHT, WIDTH = 48, 96
_EYES = slice(59, 71)
_MOUTH = slice(71, 91)
_SPAN = 2.2
"""Width of the crop in distances between the outer eye corners' centres: the mouth wide open fits, the chin too."""


def mouth_crops(frames: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Crop the mouth out of every frame, turned and scaled so that the eye line is level and of constant length.

    The centre is that of the mouth, smoothed over time, so that the crop does not follow the opening of the lips.

    Args:
        frames: (T, H, W, 3) uint8.
        keypoints: (T, 133, 2) pixels, COCO-WholeBody.

    Returns:
        (T, 48, 96, 3) uint8.
    """
    eyes = keypoints[:, _EYES].reshape(-1, 2, 6, 2).mean(2)
    across = _smooth(eyes[:, 1] - eyes[:, 0])
    centre = _smooth(keypoints[:, _MOUTH].mean(1))
    crops = np.empty((len(frames), HEIGHT, WIDTH, 3), np.uint8)
    for index, frame in enumerate(frames):
        scale = WIDTH / (_SPAN * max(float(np.hypot(*across[index])), 1.0))
        angle = np.arctan2(across[index, 1], across[index, 0])
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        turn = np.array([[cos, sin], [-sin, cos]])
        shift = np.array([WIDTH / 2, HEIGHT / 2]) - turn @ centre[index]
        matrix = np.concatenate([turn, shift[:, None]], 1)
        crops[index] = cv2.warpAffine(
            frame, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return crops


def _smooth(track: np.ndarray, radius: int = 4) -> np.ndarray:
    """Moving average over time with the ends repeated; (T, 2) -> (T, 2)."""
    padded = np.pad(track, ((radius, radius), (0, 0)), mode="edge")
    kernel = np.ones(2 * radius + 1) / (2 * radius + 1)
    return np.stack([np.convolve(padded[:, axis], kernel, mode="valid") for axis in range(2)], 1)
