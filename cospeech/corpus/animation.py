"""Animate a speaker: hands between keys, beats on the voice, head, gaze and blinks. Numpy only, seeded.

T frames. Lengths of the arm and of the shoulders scale the gestures to the person.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cospeech.corpus.body import Hand, Pose, euler

Key = Callable[[], np.ndarray]


def minimum_jerk(u: np.ndarray) -> np.ndarray:
    """Map 0..1 to 0..1 along a minimum-jerk curve, as in a natural reach (Flash and Hogan 1985)."""
    return u**3 * (10 - 15 * u + 6 * u**2)


def keyed(
    rng: np.random.Generator, times: np.ndarray, key: Key, shortest: float, longest: float, dwell: float = 0.25
) -> np.ndarray:
    """Interpolate from key to key; `key()` samples each.

    Args:
        times: (T,) seconds, ascending.
        shortest, longest: seconds from one key to the next.
        dwell: share of that time in which the key is held first.

    Returns:
        (T, ...), with the shape of a key.
    """
    starts, keys = [0.0], [key()]
    while starts[-1] < times[-1] + longest:
        starts.append(starts[-1] + rng.uniform(shortest, longest))
        keys.append(key())
    at, values = np.array(starts), np.array(keys)
    index = np.clip(np.searchsorted(at, times, "right") - 1, 0, len(at) - 2)
    passed = (times - at[index]) / (at[index + 1] - at[index])
    share = minimum_jerk(np.clip((passed - dwell) / (1 - dwell), 0, 1))
    share = share.reshape(-1, *[1] * (values.ndim - 1))
    return values[index] + (values[index + 1] - values[index]) * share


def loudness(samples: np.ndarray, rate: int, times: np.ndarray) -> np.ndarray:
    """Return the loudness at `times`, (T,): root mean square over 50 ms, 1 at the clip's 95th percentile."""
    from scipy.ndimage import gaussian_filter1d

    power = np.sqrt(gaussian_filter1d(samples**2, 0.05 * rate))
    power /= max(float(np.percentile(power, 95)), 1e-9)
    return np.interp(times, np.arange(len(power)) / rate, power)


def blinks(rng: np.random.Generator, times: np.ndarray, open_lid: float = 0.09) -> np.ndarray:
    """Return how far the lids are closed, (T,): `open_lid` when open, 1 in a blink of about 0.2 s."""
    closed = np.full(len(times), open_lid)
    at = rng.uniform(0.5, 2.0)
    while at < times[-1]:
        closed = np.maximum(closed, np.clip(1.25 - np.abs(times - at) / 0.09, 0, 1))
        at += rng.uniform(1.6, 4.0)
    return closed


def gaze(rng: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """Return turn and tilt of the eyes, (T, 2) in radians, mostly towards the camera."""

    def key() -> np.ndarray:
        spread = 0.02 if rng.random() < 0.6 else 0.09
        return rng.normal(0, 1, 2) * [spread, spread / 2] + [0, 0.03]

    return keyed(rng, times, key, 0.5, 1.6, dwell=0.88)


@dataclass(frozen=True)
class Frame:
    """Measures that scale gestures to a person, metres: half the shoulder width, arm, neck height, chest depth (y)."""

    shoulder: float
    reach: float
    neck: float
    chest: float


_PALMS = (
    (-0.30, -0.90, 0.05),  # towards the listener
    (-0.92, -0.40, 0.10),  # towards each other, ball held
    (-0.45, -0.60, 0.75),  # offered up
    (-0.70, -0.60, -0.35),  # half down
)
"""Normals of the left palm; those of the right are mirrored."""


def gesture_track(rng: np.random.Generator, times: np.ndarray, frame: Frame, symmetric: bool) -> np.ndarray:
    """Return gestures (T, 2, 15) of left and right hand: wrist (3), pointing (3), palm (3), curl (5), spread (1).

    Hands stay in front of the body and clear of their own forearms, so that detectors find them.
    """
    unit = frame.reach / 0.52

    def key() -> np.ndarray:
        resting = rng.random() < 0.22
        both = _hand_key(rng, frame, unit, resting)
        return np.stack([both, both if symmetric else _hand_key(rng, frame, unit, resting)])

    track = keyed(rng, times, key, 0.5, 1.15)
    apart = keyed(rng, times, lambda: rng.normal(0, 0.012, (2, 3)), 0.6, 1.4)
    track[:, :, :3] += apart
    track[:, 1, [0, 3, 6]] *= -1
    return track


def _hand_key(rng: np.random.Generator, frame: Frame, unit: float, resting: bool) -> np.ndarray:
    """Sample one key of the left hand, (15,)."""
    if resting:
        height, depth, up = rng.uniform(-0.31, -0.28), 0.24, rng.uniform(0.65, 0.85)
        palm, base = _PALMS[1], rng.uniform(0.12, 0.26)
    else:
        height, depth, up = rng.uniform(-0.29, -0.11), rng.uniform(0.22, 0.29), rng.uniform(0.7, 1.0)
        palm, base = _PALMS[rng.integers(len(_PALMS))], rng.uniform(0.0, 0.16)
    wrist = [rng.uniform(0.65, 1.08) * frame.shoulder, frame.neck - depth * unit, frame.chest + height * unit]
    pointing = [-rng.uniform(0.05, 0.45), -rng.uniform(0.0, 0.24), up]
    curl = np.clip(base + rng.normal(0, 0.07, 5) + np.array([0, -0.06, 0, 0.04, 0.08]), 0, 0.75)
    return np.concatenate([wrist, pointing, np.array(palm) + rng.normal(0, 0.10, 3), curl, [rng.uniform(0.4, 1.2)]])


def poses(rng: np.random.Generator, times: np.ndarray, voice: np.ndarray, frame: Frame) -> list[Pose]:
    """Return one pose per frame.

    Args:
        voice: (T,) loudness, with which hands beat down and the head nods.
    """
    from scipy.ndimage import gaussian_filter1d

    hands = gesture_track(rng, times, frame, symmetric=bool(rng.random() < 0.4))
    head = keyed(rng, times, lambda: rng.normal(0, 1, 3) * [0.05, 0.045, 0.09], 0.5, 1.3)
    sway = keyed(rng, times, lambda: rng.normal(0, 1, 3) * [0.012, 0.018, 0.035], 1.0, 2.0)
    stance = rng.normal(0, 1, 3) * [0.0, 0.012, 0.05]
    beat = gaussian_filter1d(voice, 1.5) - 0.5
    hands[:, :, 2] -= 0.02 * beat[:, None] * frame.reach / 0.52
    made = []
    for index in range(len(times)):
        nod = np.array([0.05 * beat[index], 0, 0])
        lean = sway[index] + stance
        turns = {
            "spine03": euler(0.5 * lean),
            "spine02": euler(0.5 * lean),
            "neck02": euler(0.4 * head[index] + 0.3 * nod - 0.4 * stance),
            "head": euler(0.6 * head[index] + 0.7 * nod - 0.5 * stance),
        }
        pair = {side: _hand(hands[index, k], outward) for k, (side, outward) in enumerate((("L", 1.0), ("R", -1.0)))}
        made.append(Pose(pair, turns))
    return made


def _hand(values: np.ndarray, outward: float) -> Hand:
    elbow = np.array([0.55 * outward, 0.25, -1.0])
    return Hand(values[:3], values[3:6], values[6:9], elbow, values[9:14], float(values[14]))
