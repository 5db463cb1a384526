"""Skeleton pictures: for looking at (DWPose's colours) and for conditioning (lines that stay legible at 256 px)."""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np

from . import skeleton as sk
from .track import PoseTrack

Style = Literal["dwpose", "conditioning"]
Colour = Sequence[int]

_SUPERSAMPLING = 2  # drawn larger, then averaged: half-pixel line widths
_SHIFT = 4  # fractional bits of OpenCV's fixed-point coordinates

_WHITE, _GREY = (255, 255, 255), (160, 160, 160)
# (points, colour, closed): the face as thin lines. A closed ring shows an open or shut mouth or eye at a glance.
_FACE_LINES: tuple[tuple[np.ndarray, Colour, bool], ...] = (
    (sk.JAW, _WHITE, False),
    (sk.OUTER_LIPS, (255, 60, 60), True),
    (sk.INNER_LIPS, (255, 0, 255), True),
    (sk.RIGHT_EYE_RING, (0, 255, 255), True),
    (sk.LEFT_EYE_RING, (0, 255, 255), True),
    (sk.RIGHT_BROW, _GREY, False),
    (sk.LEFT_BROW, _GREY, False),
    (sk.NOSE_BRIDGE, _GREY, False),
    (sk.NOSE_BASE, _GREY, False),
)


def draw_skeletons(track: PoseTrack, style: Style = "conditioning") -> np.ndarray:
    """The skeletons on black: (T, S, S, 3) uint8 RGB, the square size of the track. Only visible points are drawn, and
    lines between two of them.

    style: "dwpose" as DWPose and OpenPose draw it; "conditioning" draws the face as thin lines, tells the right hand
    from the left, and leaves out the joints' discs.

    Raises:
        ValueError: not 133 keypoints, the size is no square, or there is no such style.
    """
    draw = {"dwpose": _draw_dwpose, "conditioning": _draw_conditioning}.get(style)
    if draw is None:
        raise ValueError(f"unknown skeleton style {style!r}; the styles are dwpose and conditioning")
    height, width = track.size
    if track.confidence.shape[1] != sk.KEYPOINTS or height != width:
        raise ValueError(
            f"skeletons have 133 keypoints in a square picture, got {track.confidence.shape[1]} in {width}x{height}"
        )
    pictures = np.empty((len(track), height, width, 3), np.uint8)
    points_TK2, visible_TK = sk.with_neck(track.keypoints.astype(np.float64), track.visible)
    for picture, points, visible in zip(pictures, points_TK2, visible_TK, strict=True):
        canvas = _Canvas(points, visible, height)
        draw(canvas)
        canvas.write(picture)
    return pictures


def overlay(frames: np.ndarray, track: PoseTrack) -> np.ndarray:
    """The DWPose drawing over darkened square frames (T, S, S, 3) uint8 RGB."""
    drawn = draw_skeletons(track, "dwpose")
    alpha = drawn.max(axis=3, keepdims=True).astype(np.float32) / 255
    return (0.75 * frames * (1 - alpha) + drawn).clip(0, 255).astype(np.uint8)


class _Canvas:
    """Lines and discs between keypoints, at sub-pixel places. Widths are pixels of a picture of side 256."""

    def __init__(self, points: np.ndarray, visible: np.ndarray, size: int) -> None:
        """points: (134, 2) float64, visible: (134,), with the neck."""
        self.visible = visible
        side = size * _SUPERSAMPLING
        self.pixels = np.zeros((side, side, 3), np.uint8)
        # OpenCV has the origin at the centre of the first pixel; far outliers are held near the picture
        placed = (points * _SUPERSAMPLING - 0.5).clip(-4 * side, 5 * side)
        self.fixed = np.round(placed * (1 << _SHIFT)).astype(np.int32)
        self.scale = side / 256

    def line(self, a: int, b: int, colour: Colour, width: float) -> None:
        if self.visible[a] and self.visible[b]:
            start, end = self.fixed[[a, b]].tolist()
            cv2.line(self.pixels, start, end, _rgb(colour), self._width(width), cv2.LINE_AA, _SHIFT)

    def polyline(self, points: np.ndarray, colour: Colour, width: float, closed: bool) -> None:
        if self.visible[points].all():
            cv2.polylines(
                self.pixels, [self.fixed[points]], closed, _rgb(colour), self._width(width), cv2.LINE_AA, _SHIFT
            )

    def disc(self, point: int, colour: Colour, radius: float) -> None:
        if self.visible[point]:
            centre, fixed_radius = self.fixed[point].tolist(), round(radius * self.scale * (1 << _SHIFT))
            cv2.circle(self.pixels, centre, fixed_radius, _rgb(colour), cv2.FILLED, cv2.LINE_AA, _SHIFT)

    def write(self, picture: np.ndarray) -> None:
        cv2.resize(self.pixels, picture.shape[:2], picture, interpolation=cv2.INTER_AREA)

    def _width(self, width: float) -> int:
        return max(1, round(width * self.scale))


def _rgb(colour: Colour) -> tuple[int, int, int]:
    return int(colour[0]), int(colour[1]), int(colour[2])


def _draw_dwpose(canvas: _Canvas) -> None:
    for (a, b), colour in zip(sk.BODY_LIMBS, sk.BODY_COLOURS, strict=False):
        canvas.line(a, b, colour * 0.6, 3)
    for point, colour in zip(sk.OPENPOSE_BODY, sk.BODY_COLOURS, strict=True):
        canvas.disc(point, colour, 2)
    for hand in (sk.LEFT_HAND, sk.RIGHT_HAND):
        for (a, b), colour in zip(sk.HAND_LIMBS, sk.HAND_COLOURS, strict=True):
            canvas.line(hand[a], hand[b], colour, 1)
        for point in hand:
            canvas.disc(point, (0, 0, 255), 1)
    for point in sk.FACE:
        canvas.disc(point, _WHITE, 0.75)


def _draw_conditioning(canvas: _Canvas) -> None:
    for (a, b), colour in zip(sk.BODY_LIMBS[:13], sk.BODY_COLOURS, strict=False):
        canvas.line(a, b, colour, 3)
    for points, colour, closed in _FACE_LINES:
        canvas.polyline(points, colour, 1, closed)
    for hand, least_blue in ((sk.LEFT_HAND, 0), (sk.RIGHT_HAND, 90)):
        for (a, b), colour in zip(sk.HAND_LIMBS, sk.HAND_COLOURS, strict=True):
            canvas.line(hand[a], hand[b], (colour[0], colour[1], max(colour[2], least_blue)), 1.5)
