"""Motion of one body fitted to another: where the person stands, how large they are, how long their arms, how wide
their mouth.

The driver's motion is what it does away from the driver's pose at rest. The shoulders set place and size; arms follow
bone by bone, hands hang on the wrists; the head moves as a whole and the face within it, each part at its own size.
A driver fitted to itself comes out as it was.

Axes: T frames; points are complex, x + i y in pixels, so that a factor turns and scales.
"""

import numpy as np

from ..pose import skeleton as sk

_BONES = ((sk.LEFT_SHOULDER, sk.LEFT_ELBOW, sk.LEFT_WRIST), (sk.RIGHT_SHOULDER, sk.RIGHT_ELBOW, sk.RIGHT_WRIST))
_HANDS = ((sk.LEFT_HAND, sk.LEFT_WRIST), (sk.RIGHT_HAND, sk.RIGHT_WRIST))
_KNUCKLE = 9
"""Of a hand's points: the root of the middle finger, where the palm ends."""
_HEAD = np.r_[0:5, sk.FACE]
_RIGID = np.r_[sk.NOSE_BRIDGE, 59, 62, 65, 68]
"""Bridge of the nose and corners of the eyes: what moves with the head alone."""
_REST = np.r_[sk.LEFT_HIP, sk.RIGHT_HIP]
_CORNERS, _OPENING = (sk.MOUTH_RIGHT, sk.MOUTH_LEFT), (sk.UPPER_LIP_INNER, sk.LOWER_LIP_INNER)
_UPPER_LIP, _LOWER_LIP = np.r_[72:77, 84:87], np.r_[78:83, 88:91]
_EYES = ((sk.RIGHT_EYE_RING, (60, 61), (64, 63)), (sk.LEFT_EYE_RING, (66, 67), (70, 69)))
_FACE_WIDTH, _FACE_HEIGHT = (23, 39), (50, 31)
"""Ear to ear; root of the nose to chin."""
_LEAST, _MOST = 0.6, 1.6
"""Ratios beyond these are a limb that points at the camera, not a build."""


class Fit:
    """Fits a driver's keypoints to a person."""

    def __init__(self, person: np.ndarray, driver: np.ndarray) -> None:
        """Keypoints (133, 2) of both at rest, each in pixels of its own picture.

        Raises:
            ValueError: shoulders in one place, so that there is nothing to scale by.
        """
        self._person, rest = _complex(person), _complex(driver)
        width, own = _length(rest, sk.SHOULDERS), _length(self._person, sk.SHOULDERS)
        if min(width, own) < 1:
            raise ValueError(
                f"the shoulders lie {own:.1f} px apart in the picture and {width:.1f} px in what drives it; at least 1 "
                "px is needed to scale by"
            )
        self._scale, self._origin = own / width, rest[sk.SHOULDERS].mean()
        self._rest = self._placed(rest)
        self._bones = [self._ratio([(bone[i], bone[i + 1]) for bone in _BONES]) for i in range(2)]
        self._hand = self._ratio([(hand[0], hand[_KNUCKLE]) for hand, _ in _HANDS])
        self._face = self._ratio([_FACE_WIDTH]), self._ratio([_FACE_HEIGHT])
        self._mouth = self._ratio([_CORNERS])
        self._eye = self._ratio(
            [(above, below) for _, top, low in _EYES for above, below in zip(top, low, strict=True)]
        )
        self._roll = _direction(self._person) / _direction(self._rest)

    def __call__(self, keypoints: np.ndarray) -> np.ndarray:
        """The driver's (T, 133, 2) -> the person's (T, 133, 2) float32, pixels of the person's picture."""
        moved = self._placed(_complex(keypoints))
        out = np.repeat(self._person[None], len(moved), 0)
        for part in (sk.SHOULDERS, _REST):
            out[:, part] += moved[:, part] - self._rest[part]
        for bone in _BONES:
            for ratio, near, far in zip(self._bones, bone, bone[1:], strict=False):
                out[:, far] = out[:, near] + ratio * (moved[:, far] - moved[:, near])
        for hand, wrist in _HANDS:
            out[:, hand] = out[:, [wrist]] + self._hand * (moved[:, hand] - moved[:, [wrist]])
        out[:, _HEAD] = self._head(moved)
        return np.stack([out.real, out.imag], -1).astype(np.float32)

    def _head(self, moved_TK: np.ndarray) -> np.ndarray:
        """(T, 73): the head turned and shifted as the driver's, the face on it doing what the driver's does."""
        rest, person = self._rest, self._person
        turn_T1, middle_T1 = _similarity(rest[_RIGID], moved_TK[:, _RIGID])
        within = (moved_TK[:, _HEAD] - middle_T1) / turn_T1 - (rest[_HEAD] - rest[_RIGID].mean())
        face = self._expression(within * self._roll)
        shift_T1 = middle_T1 - rest[_RIGID].mean()
        return person[_RIGID].mean() + shift_T1 + turn_T1 * (person[_HEAD] - person[_RIGID].mean() + face)

    def _expression(self, offset_TH: np.ndarray) -> np.ndarray:
        """What the points of the head do away from rest, at the person's sizes."""
        upright = _direction(self._person)
        offset = np.zeros((len(offset_TH), sk.KEYPOINTS), complex)
        offset[:, _HEAD] = offset_TH / upright
        out = offset.real * self._face[0] + 1j * offset.imag * self._face[1]
        out[:, sk.MOUTH] = offset[:, sk.MOUTH] * self._mouth
        for ring, _, _ in _EYES:
            out[:, ring] = offset[:, ring].real * self._face[0] + 1j * offset[:, ring].imag * self._eye
        # lips that touch must touch on a face that rests with its mouth open: the opening is the driver's, not added
        spare = self._mouth * _opening(self._rest, _direction(self._rest)) - _opening(self._person, upright)
        out[:, _UPPER_LIP] -= 0.5j * spare
        out[:, _LOWER_LIP] += 0.5j * spare
        return out[:, _HEAD] * upright

    def _placed(self, points: np.ndarray) -> np.ndarray:
        """In the person's picture, the shoulders at rest where theirs are."""
        return (points - self._origin) * self._scale + self._person[sk.SHOULDERS].mean()

    def _ratio(self, pairs: list[tuple[int, int]]) -> float:
        """Length of the person's parts to the driver's, between pairs of points, at rest."""
        own, other = (sum(_length(points, pair) for pair in pairs) for points in (self._person, self._rest))
        return float(np.clip(own / max(other, 1e-3), _LEAST, _MOST))


def _complex(keypoints: np.ndarray) -> np.ndarray:
    return keypoints[..., 0].astype(np.float64) + 1j * keypoints[..., 1]


def _length(points: np.ndarray, pair: "np.ndarray | tuple[int, int]") -> float:
    return float(abs(points[pair[0]] - points[pair[1]]))


def _direction(points: np.ndarray) -> complex:
    """Of modulus 1: where the face's own x axis points, from the person's right eye to the left."""
    across = points[sk.LEFT_EYE_RING].mean() - points[sk.RIGHT_EYE_RING].mean()
    return complex(across / max(abs(across), 1e-9))


def _opening(points: np.ndarray, upright: complex) -> float:
    """Between the inner lips, down the face; pixels."""
    upper, lower = _OPENING
    return float(((points[lower] - points[upper]) / upright).imag)


def _similarity(rest_P: np.ndarray, moved_TP: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The turn and scale (T, 1) that best carry points at rest to the moved, and where their middle goes (T, 1)."""
    middle_T1 = moved_TP.mean(1, keepdims=True)
    centred = rest_P - rest_P.mean()
    turn_T1 = ((moved_TP - middle_T1) @ centred.conj())[:, None] / max(float((np.abs(centred) ** 2).sum()), 1e-9)
    return np.where(np.abs(turn_T1) < 0.2, 1, turn_T1), middle_T1
