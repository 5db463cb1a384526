"""A pose as what moves it: body and hands, the head, the face in the head, the lips in the head.

All are offsets from a reference pose of the same person, so that one person's motion can be another's. The head is the
similarity that carries the reference's nose and eyes nearest to those of the frame (as in `metrics.lips.lmd`); the
points of the face are told in its frame. Points in the plane are complex numbers, x + iy.

T frames.
"""

from dataclasses import dataclass

import numpy as np

from ..pose import skeleton as sk

BODY = np.concatenate([np.arange(5, 13), sk.HANDS])
FACE = np.concatenate([np.arange(5), sk.RIGHT_BROW, sk.LEFT_BROW, sk.NOSE_BRIDGE, sk.NOSE_BASE])
FACE = np.concatenate([FACE, sk.RIGHT_EYE_RING, sk.LEFT_EYE_RING])
LIPS = np.concatenate([sk.JAW, sk.MOUTH])
STEADY = np.concatenate([sk.NOSE_BRIDGE, sk.NOSE_BASE, sk.RIGHT_EYE_RING, sk.LEFT_EYE_RING])

POSTURE, SPEECH = 2 * (len(BODY) + 2 + len(FACE)), 2 * len(LIPS)
"""How many coordinates there are of the posture (body, head, upper face) and of what speaks (jaw and lips)."""
LIDS = slice(POSTURE - 2 * (len(sk.RIGHT_EYE_RING) + len(sk.LEFT_EYE_RING)), POSTURE)
"""Of these the rings of the right and the left eye."""
_BODY, _HEAD = slice(0, len(BODY)), slice(len(BODY), len(BODY) + 2)


def weights() -> np.ndarray:
    """(POSTURE,) by which coordinates become of comparable size: the head and lids move little and matter much."""
    parts = [(len(BODY), 1.0), (2, 4.0), (len(FACE), 1.5)]
    return np.repeat(np.concatenate([np.full(count, weight, np.float32) for count, weight in parts]), 2)


@dataclass(frozen=True)
class _Frame:
    """origin, unit: of the shoulders, pixels. centre: of nose and eyes; eyes: from the person's right to the left one,
    complex, so that dividing by it turns the head upright and makes the eyes' distance 1."""

    origin: complex
    unit: float
    centre: complex
    eyes: complex


def _frame(reference: np.ndarray) -> _Frame:
    z = _complex(reference[None])[0]
    left, right = z[sk.LEFT_SHOULDER], z[sk.RIGHT_SHOULDER]
    eyes = z[sk.LEFT_EYE_RING].mean() - z[sk.RIGHT_EYE_RING].mean()
    for name, length in (("shoulders", abs(left - right)), ("eyes", abs(eyes))):
        if length < 1:
            raise ValueError(f"the reference pose has {name} {length:.2f} px apart, and 1 px is needed to scale by")
    return _Frame((left + right) / 2, float(abs(left - right)), z[STEADY].mean(), eyes)


def describe(reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A pose by itself, independent of its place and size: posture (POSTURE,) and speech (SPEECH,), float32.

    Raises:
        ValueError: shoulders or eyes coincide.
    """
    frame, z = _frame(reference), _complex(reference[None])
    head = np.array([[frame.eyes, frame.centre - frame.origin]]) / frame.unit
    inside = (z - frame.centre) / frame.eyes
    posture = np.concatenate([(z[:, BODY] - frame.origin) / frame.unit, head, inside[:, FACE]], 1)
    return _real(posture)[0], _real(inside[:, LIPS])[0]


def offsets(keypoints: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a pose does away from `reference`.

    Args:
        keypoints: (T, 133, 2) pixels. reference: (133, 2) pixels.

    Returns:
        Posture (T, POSTURE): body in shoulder widths, turn and growth of the head, its shift in shoulder widths, upper
        face in eye distances; speech (T, SPEECH) in eye distances. float32.
    """
    frame, z, still = _frame(reference), _complex(keypoints), _complex(reference[None])
    centre = z[:, STEADY].mean(1)
    steady = still[0, STEADY] - frame.centre
    turn = ((z[:, STEADY] - centre[:, None]) @ steady.conj()) / np.vdot(steady, steady).real
    turn = np.where(np.abs(turn) < 1e-3, 1, turn)
    inside = (z - centre[:, None]) / turn[:, None] / frame.eyes - (still - frame.centre) / frame.eyes
    body = (z[:, BODY] - still[:, BODY]) / frame.unit
    head = np.stack([turn - 1, (centre - frame.centre) / frame.unit], 1)
    return _real(np.concatenate([body, head, inside[:, FACE]], 1)), _real(inside[:, LIPS])


def pose(posture: np.ndarray, speech: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The inverse of `offsets`: keypoints (T, 133, 2) float32, pixels. Legs stand still at the reference."""
    frame, still = _frame(reference), _complex(reference[None])
    moved, spoken = _from_real(posture), _from_real(speech)
    turn, shift = (moved[:, _HEAD][:, index, None] for index in range(2))
    z = np.repeat(still, len(posture), 0)
    z[:, BODY] += moved[:, _BODY] * frame.unit
    for points, offset in ((FACE, moved[:, _HEAD.stop :]), (LIPS, spoken)):
        inside = still[:, points] - frame.centre + offset * frame.eyes
        z[:, points] = inside * (1 + turn) + frame.centre + shift * frame.unit
    return np.stack([z.real, z.imag], -1).astype(np.float32)


def _complex(points: np.ndarray) -> np.ndarray:
    return points[..., 0].astype(np.complex128) + 1j * points[..., 1]


def _real(z: np.ndarray) -> np.ndarray:
    """(T, P) complex -> (T, 2 P) float32, x and y side by side."""
    return np.stack([z.real, z.imag], -1).reshape(len(z), -1).astype(np.float32)


def _from_real(values: np.ndarray) -> np.ndarray:
    pairs = values.reshape(len(values), -1, 2)
    return pairs[..., 0] + 1j * pairs[..., 1]
