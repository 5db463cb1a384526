"""Control: does the drawn picture do what the pose asks, by how much and in time with it.

Every quantity is read twice with the same formula: from the keypoints that a model draws from (asked) and from the
keypoints that a detector finds in what it drew (found). The detector has errors of its own, so the real picture gives
the value to compare with: what is found in it is the most that anyone can reach.

Axes: T frames, 133 COCO-WholeBody keypoints, in pixels; C numbers that tell one quantity.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cospeech.metrics.lips import eye_distance, lip_gap
from cospeech.pose import skeleton as sk
from cospeech.pose.track import PoseTrack

Values = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""keypoints (T, 133, 2), asked keypoints (T, 133, 2) -> (T, C); the asked ones are there to scale by."""
_EYES = (sk.RIGHT_EYE_RING, sk.LEFT_EYE_RING)
_BROWS = (sk.RIGHT_BROW, sk.LEFT_BROW)
_BOTH = (sk.LEFT_HAND, sk.RIGHT_HAND)
_STILL = 0.1
"""What moves less than so much of `Quantity.least` stands still."""
FINGERS = ("thumb", "index", "middle", "ring", "little")

_RIGID = np.r_[
    sk.JAW[[0, 1, 15, 16]], sk.NOSE_BRIDGE, sk.NOSE_BASE, sk.RIGHT_EYE_RING[[0, 3]], sk.LEFT_EYE_RING[[0, 3]]
]
_RIGID_3D = np.array(
    [
        (-7.74, 2.36, -2.01), (-7.66, 0.67, -2.44), (7.66, 0.67, -2.44), (7.74, 2.36, -2.01),  # before the ears
        (0, 2.87, 5.51), (0, 1.39, 6.55), (0, 0.37, 7.24), (0, -0.46, 7.59),  # bridge of the nose, then its base
        (-1.04, -1.46, 5.66), (-0.6, -2.01, 5.87), (0, -2.09, 6.06), (0.6, -2.01, 5.87), (1.04, -1.46, 5.66),
        (-4.45, 2.66, 3.17), (-1.86, 2.59, 3.76), (1.86, 2.59, 3.76), (4.45, 2.66, 3.17),  # corners of the eyes
    ]
)  # fmt: skip
"""Those points, which no expression moves, in MediaPipe's canonical face model (Apache-2.0): cm, x to the right of the
picture, y up, z to the viewer."""


@dataclass(frozen=True)
class Quantity:
    """What a pose asks for. parts: the keypoints that each part needs, and its values. least: root mean square of what
    is asked about its mean, in `unit`, under which the detector's noise would be measured instead: twice what the
    detector differs by from itself in stretches of 20 real frames of the embedded corpus, 90th percentile."""

    key: str
    title: str
    unit: str
    least: float
    parts: tuple[tuple[np.ndarray, Values], ...]


@dataclass(frozen=True)
class Control:
    """slope: what is found for every unit that is asked, 1 is right, 0 a picture that does not answer. correlation:
    -1..1, higher is better. Both None where the pose does not ask enough to tell; `reason` says so."""

    slope: float | None
    correlation: float | None
    reason: str | None = None


def control(quantity: Quantity, found: PoseTrack, asked: PoseTrack) -> Control:
    """Slope and correlation of what is found in a clip on what is asked, all numbers of the quantity pooled.

    sum (x - mean x)(y - mean y) over sum (x - mean x)^2, x asked, y found, means taken number by number; the
    correlation divides by the root of the product of both sums of squares. Frames in which the pose does not have the
    part are left out. A part that is not found in a drawn frame does not answer there: it counts as the mean of the
    frames where it is. The correlation of what is found to stand still is 0, though the detector's noise may have one.
    """
    covariance = asked_energy = found_energy = 0.0
    numbers = 0
    for points, values in quantity.parts:
        seen = np.all(asked.found[:, points], axis=1)
        if not seen.any():
            continue
        there = seen & np.all(found.found[:, points], axis=1)
        x = _about_mean(values(asked.keypoints[seen], asked.keypoints))
        y = np.zeros_like(x)
        if there.any():
            y[there[seen]] = _about_mean(values(found.keypoints[there], asked.keypoints))
        covariance += float((x * y).sum())
        asked_energy += float((x * x).sum())
        found_energy += float((y * y).sum())
        numbers += x.size
    if not numbers:
        return Control(None, None, "the pose does not show it")
    moved = (asked_energy / numbers) ** 0.5
    if moved < quantity.least:
        return Control(None, None, f"the pose moves it by {moved:.2g} {quantity.unit}, {quantity.least:g} are needed")
    still = (found_energy / numbers) ** 0.5 < _STILL * quantity.least
    return Control(covariance / asked_energy, 0.0 if still else covariance / (asked_energy * found_energy) ** 0.5)


def _about_mean(values: np.ndarray) -> np.ndarray:
    """(T, ...) -> (T, C), each number about its mean over time."""
    columns = values.reshape(len(values), -1).astype(np.float64)
    return columns - columns.mean(0)


def mouth_width(keypoints: np.ndarray) -> np.ndarray:
    """Between the outer corners of the mouth, in distances between the eyes, from 0: (T, 133, 2) -> (T,)."""
    corners = keypoints[:, [sk.MOUTH_RIGHT, sk.MOUTH_LEFT]].astype(np.float64)
    return np.linalg.norm(corners[:, 1] - corners[:, 0], axis=-1) / eye_distance(keypoints)


def eyelids(keypoints: np.ndarray) -> np.ndarray:
    """How far the eyes are open: height over width of an eye, mean of both (eye aspect ratio, Soukupová and Čech 2016).

    (T, 133, 2) -> (T,), without unit, from 0 upwards.
    """
    ratios = []
    for ring in _EYES:
        eye = keypoints[:, ring].astype(np.float64)
        height = (np.linalg.norm(eye[:, 1] - eye[:, 5], axis=-1) + np.linalg.norm(eye[:, 2] - eye[:, 4], axis=-1)) / 2
        ratios.append(height / np.maximum(np.linalg.norm(eye[:, 3] - eye[:, 0], axis=-1), 1.0))
    return np.mean(ratios, axis=0)


def brows(keypoints: np.ndarray) -> np.ndarray:
    """How high the brows stand: from the middle of an eye to the middle of its brow, mean of both, in distances between
    the eyes, from 0: (T, 133, 2) -> (T,)."""
    points = keypoints.astype(np.float64)
    apart = [points[:, brow].mean(1) - points[:, eye].mean(1) for brow, eye in zip(_BROWS, _EYES, strict=True)]
    return np.linalg.norm(apart, axis=-1).mean(0) / eye_distance(keypoints)


def head_angles(keypoints: np.ndarray) -> np.ndarray:
    """Yaw (positive to the right of the picture), pitch (up) and roll (clockwise), degrees: (T, 133, 2) -> (T, 3).

    The scaled orthographic projection of the canonical face that is nearest in least squares to its rigid points, its
    two rows made orthonormal (DeMenthon and Davis, IJCV 1995, first step).
    """
    model = (_RIGID_3D - _RIGID_3D.mean(0)) * (1, -1, -1)  # as pictures go: x right, y down, z away from the viewer
    points = keypoints[:, _RIGID].astype(np.float64)
    rows = (points - points.mean(1, keepdims=True)).swapaxes(1, 2) @ np.linalg.pinv(model).T  # (T, 2, 3)
    left, _, right = np.linalg.svd(rows, full_matrices=False)
    across, down = (left @ right).swapaxes(0, 1)
    ahead = -np.stack([across[:, 2], down[:, 2], np.cross(across, down)[:, 2]], -1)  # where the nose points
    yaw = np.arctan2(ahead[:, 0], -ahead[:, 2])
    pitch = np.arctan2(-ahead[:, 1], np.hypot(ahead[:, 0], ahead[:, 2]))
    return np.degrees(np.stack([yaw, pitch, np.arctan2(down[:, 0], across[:, 0])], -1))


def finger_tip(keypoints: np.ndarray, asked_keypoints: np.ndarray, hand: np.ndarray, finger: int) -> np.ndarray:
    """From the wrist to the tip of finger 0 (thumb) to 4, in sizes of the asked hand: the longer side of its box, the
    median of the clip. (T, 133, 2) -> (T, 2)."""
    box = np.ptp(asked_keypoints[:, hand], axis=1).max(1)
    points = keypoints[:, hand].astype(np.float64)
    return (points[:, 4 * finger + 4] - points[:, 0]) / max(float(np.median(box)), 1.0)


def finger_bend(keypoints: np.ndarray, hand: np.ndarray, finger: int) -> np.ndarray:
    """1 minus the distance from root to tip over the length along the joints, as seen in the picture.

    Without unit, 0 (straight) to 1: (T, 133, 2) -> (T,).
    """
    joints = keypoints[:, hand[4 * finger + 1 : 4 * finger + 5]].astype(np.float64)
    length = np.linalg.norm(np.diff(joints, axis=1), axis=-1).sum(1)
    return 1 - np.linalg.norm(joints[:, 3] - joints[:, 0], axis=-1) / np.maximum(length, 1e-6)


def _face(key: str, title: str, unit: str, least: float, values: Callable[[np.ndarray], np.ndarray]) -> Quantity:
    return Quantity(key, title, unit, least, ((sk.FACE, lambda keypoints, _: values(keypoints)),))


def _named(finger: int) -> str:
    return FINGERS[finger] if finger == 0 else f"{FINGERS[finger]} finger"


def _tip(finger: int) -> Quantity:
    parts = tuple((hand, lambda found, asked, hand=hand: finger_tip(found, asked, hand, finger)) for hand in _BOTH)
    return Quantity(f"{FINGERS[finger]}_tip", f"{_named(finger)}, tip", "hand sizes", 0.02, parts)


def _bend(finger: int) -> Quantity:
    parts = tuple((hand, lambda found, _, hand=hand: finger_bend(found, hand, finger)) for hand in _BOTH)
    return Quantity(f"{FINGERS[finger]}_bend", f"{_named(finger)}, bend", "of its length", 0.01, parts)


QUANTITIES = (
    _face("mouth_opening", "mouth opening", "eye distances", 0.016, lip_gap),
    _face("mouth_width", "mouth width", "eye distances", 0.02, mouth_width),
    _face("eyelids", "eyelids", "eye widths", 0.016, eyelids),
    _face("brows", "brows", "eye distances", 0.01, brows),
    _face("head_yaw", "head yaw", "degrees", 0.9, lambda keypoints: head_angles(keypoints)[:, 0]),
    _face("head_pitch", "head pitch", "degrees", 0.8, lambda keypoints: head_angles(keypoints)[:, 1]),
    _face("head_roll", "head roll", "degrees", 0.5, lambda keypoints: head_angles(keypoints)[:, 2]),
    *map(_tip, range(5)),
    *map(_bend, range(5)),
)
