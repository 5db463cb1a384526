"""A clip of somebody to keypoints that move somebody else.

T frames.
"""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from cospeech.footage.crop import shows_face
from cospeech.inference.conditioning import Person
from cospeech.inference.errors import InputError, checking_input
from cospeech.inference.retargeting import Fit
from cospeech.media import MediaError, iter_constant_rate, probe
from cospeech.pose import skeleton as sk
from cospeech.pose.mediapipe import MediaPipeDetector
from cospeech.pose.track import PoseTrack

_LARGEST = 1280
"""Pixels of a frame's longer side; larger ones are reduced to it."""
_LEAST_FOUND = 0.5
"""Share of the frames that must show a face and both shoulders."""
_HANDS = ((sk.LEFT_HAND, sk.LEFT_WRIST), (sk.RIGHT_HAND, sk.RIGHT_WRIST))


def read_driver(path: Path, fps: int, detector: MediaPipeDetector, person: Person) -> np.ndarray:
    """Keypoints (T, 133, 2) of a clip, a frame of `fps` after the other, fitted to a person: pixels of their picture.

    The driver's pose at rest, from which all is measured, is that of the moment when they look most like the picture.

    Raises:
        InputError: not a video, or nobody to be seen for most of it.
    """
    with checking_input():
        probe(path)
    try:
        track = detector.detect_frames(_reduced(iter_constant_rate(path, fps)))
    except MediaError as error:
        raise InputError(str(error)) from error
    usable = shows_face(track) & track.visible[:, sk.SHOULDERS].all(1)
    if usable.mean() < _LEAST_FOUND:
        raise InputError(
            f"{path}: a person with face and shoulders is seen in {usable.mean():.0%} of {len(usable)} frames, "
            f"{_LEAST_FOUND:.0%} are needed"
        )
    keypoints = carry_hands(track)
    return Fit(person.keypoints, keypoints[_rest(keypoints, usable, person)])(keypoints)


def carry_hands(track: PoseTrack) -> np.ndarray:
    """(T, 133, 2) in which a hand that is not found for a while hangs on its wrist as it was last seen, or will be."""
    keypoints, carried = track.keypoints, track.keypoints.copy()
    for hand, wrist in _HANDS:
        seen = np.flatnonzero(track.found[:, hand].any(1))
        if len(seen):
            before = np.maximum(np.searchsorted(seen, np.arange(len(track)), side="right") - 1, 0)
            source = seen[before]
            carried[:, hand] = keypoints[:, [wrist]] + keypoints[source][:, hand] - keypoints[source][:, [wrist]]
    return carried


def _rest(keypoints: np.ndarray, usable: np.ndarray, person: Person) -> int:
    """The frame whose head, seen from its shoulders, is most like the person's."""
    distance = np.square(_head(keypoints) - _head(person.keypoints)).mean((1, 2))
    return int(np.where(usable, distance, np.inf).argmin())


def _head(keypoints: np.ndarray) -> np.ndarray:
    """(..., 68, 2): the face from the middle of the shoulders, in shoulder widths."""
    left, right = keypoints[..., sk.LEFT_SHOULDER, :], keypoints[..., sk.RIGHT_SHOULDER, :]
    width = np.linalg.norm(left - right, axis=-1)[..., None, None]
    return (keypoints[..., sk.FACE, :] - (left + right)[..., None, :] / 2) / np.maximum(width, 1e-6)


def _reduced(frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    for frame in frames:
        factor = _LARGEST / max(frame.shape[:2])
        yield frame if factor >= 1 else cv2.resize(frame, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
