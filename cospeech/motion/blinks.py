"""Blinks: found in footage, learnt from it as a process in time, drawn by it.

They are rare and short, a few to a clip, so that a network which draws whole faces never learns them. So they are taken
out of what it learns from, and put back by a process of three numbers and a shape, all fitted to the footage: after a
pause an eye blinks in every frame with the same chance (a shifted exponential distribution of the time between blinks),
by the mean movement of the lids, more or less deep.

Axes: T frames, L frames of a blink, E coordinates of the rings of both eyes (`posture.LIDS`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..pose import skeleton as sk
from .representation import LIDS, describe, offsets, pose

REACH = 4
"""Frames of a blink on either side of the one in which the eyes are most closed; at 25 a second it takes 0.3 s."""
_CLOSING = 0.8
"""Of the opening around it, under which an eye blinks. Over the embedded corpus the 44 blinks that a detector shows are
at 0.50 to 0.76 in their middle, other movements of the lids at 0.84 and more."""
_AROUND, _LEAST, _MOST = 25, 2, 12
"""Frames whose median is how open an eye is around then; frames that a blink lasts."""
_FEW = 3
"""Blinks from which the process can be fitted."""
_RINGS = np.concatenate([sk.RIGHT_EYE_RING, sk.LEFT_EYE_RING])


def eye_aspect(keypoints: np.ndarray) -> np.ndarray:
    """Height of the eyes over their width, (T,): Soukupová and Čech, "Real-time eye blink detection", CVWW 2016."""
    return np.mean([_height(ring) / _width(ring) for ring in _eyes(keypoints)], axis=0)


def find_blinks(keypoints: np.ndarray) -> list[int]:
    """Frames of (T, 133, 2) in which eyes that blink are most closed."""
    aspect = eye_aspect(keypoints)
    padded = np.pad(aspect, _AROUND // 2, mode="edge")
    closed = aspect / np.median(np.lib.stride_tricks.sliding_window_view(padded, _AROUND), axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], closed < _CLOSING, [0]])))
    runs = [(start, stop) for start, stop in edges.reshape(-1, 2) if _LEAST <= stop - start <= _MOST]
    return [int(start + closed[start:stop].argmin()) for start, stop in runs]


def blinks_a_minute(keypoints: np.ndarray, fps: float) -> float:
    return len(find_blinks(keypoints)) / (len(keypoints) / fps / 60)


def open_eyed(keypoints: np.ndarray) -> np.ndarray:
    """The same motion, (T, 133, 2), without its blinks: the lids go straight from before to after."""
    posture, speech = offsets(keypoints, keypoints[0])
    for middle in find_blinks(keypoints):
        before, after = max(middle - REACH - 1, 0), min(middle + REACH + 1, len(keypoints) - 1)
        posture[before : after + 1, LIDS] = _straight(posture[before : after + 1, LIDS])
    opened = keypoints.copy()
    opened[:, _RINGS] = pose(posture, speech, keypoints[0])[:, _RINGS]
    return opened


@dataclass(frozen=True)
class Blinking:
    """How people blink. shape_LE: what the lids do, in openings of the eye. chance: of a blink to begin in a frame,
    once `pause` frames have passed since the last began. spread: of how deep they are, 1 in the mean."""

    shape_LE: np.ndarray
    chance: float
    pause: int
    spread: float


def fit_blinking(tracks: Sequence[np.ndarray]) -> Blinking:
    """To keypoints (T, 133, 2) of clips; where almost nobody blinks, nobody will."""
    shapes: list[np.ndarray] = []
    gaps: list[int] = []
    count = 0
    for keypoints in tracks:
        middles = find_blinks(keypoints)
        count, gaps = count + len(middles), [*gaps, *np.diff(middles).tolist()]
        lids = offsets(keypoints, keypoints[0])[0][:, LIDS]
        unit = _opening(describe(keypoints[0])[0][LIDS] + np.median(lids, axis=0))
        for middle in middles:
            part = lids[middle - REACH - 1 : middle + REACH + 2] if middle > REACH else lids[:0]
            if len(part) == 2 * REACH + 3:
                shapes.append((part - _straight(part))[1:-1] / unit)
    if len(shapes) < _FEW:
        return Blinking(np.zeros((2 * REACH + 1, LIDS.stop - LIDS.start), np.float32), 0.0, 0, 0.0)
    shape = np.mean(shapes, axis=0)
    depths = [(each * shape).sum() / np.square(shape).sum() for each in shapes]
    pause = max(min(gaps, default=0), 2 * REACH + 1)
    free = sum(map(len, tracks)) - count * pause
    return Blinking(shape.astype(np.float32), min(count / max(free, count), 1.0), pause, float(np.std(depths)))


class Blinker:
    """Blinks of one person, frame after frame."""

    def __init__(self, how: Blinking, posture: np.ndarray, seed: int) -> None:
        """posture: (POSTURE,) of the person with open eyes, `describe`d."""
        self._how, self._unit = how, _opening(posture[LIDS])
        self._chance = np.random.default_rng([seed, 1])
        self._since, self._depth = how.pause, 0.0

    def draw(self, frames: int) -> np.ndarray:
        """What the lids do in the next frames besides, (frames, E) in eye distances."""
        return np.stack([self._next() for _ in range(frames)])

    def _next(self) -> np.ndarray:
        how = self._how
        self._since += 1
        if self._since > how.pause and self._chance.random() < how.chance:
            self._since = 0
            self._depth = self._unit * (1 + how.spread * float(np.clip(self._chance.normal(), -2, 2)))
        if self._since < len(how.shape_LE):
            return self._depth * how.shape_LE[self._since]
        return np.zeros_like(how.shape_LE[0])


def _straight(values: np.ndarray) -> np.ndarray:
    """From the first row to the last at an even pace."""
    share = np.linspace(0, 1, len(values), dtype=values.dtype)[:, None]
    return values[:1] * (1 - share) + values[-1:] * share


def _eyes(points: np.ndarray) -> list[np.ndarray]:
    """(..., 133, 2) -> of each eye (..., 6, 2): corner, upper lid, corner, lower lid."""
    return [points[..., ring, :] for ring in (sk.RIGHT_EYE_RING, sk.LEFT_EYE_RING)]


def _height(ring: np.ndarray) -> np.ndarray:
    """(..., 6, 2) -> (...)"""
    return np.linalg.norm(ring[..., 1:3, :] - ring[..., [5, 4], :], axis=-1).mean(-1)


def _width(ring: np.ndarray) -> np.ndarray:
    return np.maximum(np.linalg.norm(ring[..., 0, :] - ring[..., 3, :], axis=-1), 1e-6)


def _opening(lids_E: np.ndarray) -> float:
    """Mean height of both eyes."""
    return float(_height(lids_E.reshape(2, 6, 2)).mean())
