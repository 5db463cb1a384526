"""A picture file to a person who can talk: found, checked, cropped to the square that the model knows."""

from contextlib import closing
from pathlib import Path

import numpy as np

from cospeech.footage.crop import Crop, find_crop, shows_face
from cospeech.inference.conditioning import Person
from cospeech.inference.errors import InputError, checking_input
from cospeech.media import read_picture
from cospeech.pose import skeleton as sk
from cospeech.pose.detectors import Detector
from cospeech.pose.faces import count_faces
from cospeech.pose.mediapipe import MediaPipeDetector, MediaPipeOptions
from cospeech.pose.track import PoseTrack

LEAST = 128
"""Pixels a side of the square that shows the person, at least: below, no face can be told."""
_HANDS = (("left", sk.LEFT_HAND), ("right", sk.RIGHT_HAND))
_WHOLE = 0.8
"""Share of a hand's points that must be in the picture."""
_ADVICE = "a picture of one person from the hips up, facing the camera, with both hands in it, is needed"


def read_portrait(path: str | Path, detector: Detector | None = None) -> Person:
    """Read the one person in a picture file, upright as its camera says.

    Args:
        path: a picture of one person from the hips up, facing the camera, with both hands in it.
        detector: None for MediaPipe as it is by default, built for this picture alone.

    Raises:
        InputError: not a picture, too small, nobody, several faces, shoulders or hands not in it.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with checking_input():
        picture = read_picture(path.read_bytes(), str(path))
    if detector is not None:
        return find_person(picture, detector, str(path))
    with closing(MediaPipeDetector(MediaPipeOptions())) as own:
        return find_person(picture, own, str(path))


def find_person(picture: np.ndarray, detector: Detector, name: str) -> Person:
    """The one person in a picture (H, W, 3) uint8 RGB, in the square that ingest would cut. name: for messages.

    Raises:
        InputError: as `read_portrait`.
    """
    height, width = picture.shape[:2]
    if min(height, width) < LEAST:
        raise InputError(f"{name}: {width} x {height} pixels; each side must have {LEAST} or more")
    found = detector.detect_image(picture)
    faces = count_faces([picture])[0]
    if found is None or not shows_face(found)[0]:
        raise InputError(f"{name}: no face is found in it; {_ADVICE}")
    if faces > 1:
        raise InputError(f"{name}: {faces} faces are found in it; crop it to the one person who is to talk")
    _check_body(name, found)
    square = Crop(0, 0, width) if width == height else find_crop(found)
    if square.size < LEAST:
        raise InputError(f"{name}: the person fills {square.size} x {square.size} pixels; {LEAST} or more are needed")
    cropped = PoseTrack(found.keypoints - [square.x, square.y], found.confidence, (square.size, square.size))
    _check_hands(name, cropped)
    cut = np.ascontiguousarray(square.cut(picture))
    return Person(cut, cropped.keypoints[0].astype(np.float32), cropped.confidence[0])


def _check_body(name: str, found: PoseTrack) -> None:
    if not found.visible[0, sk.SHOULDERS].all():
        raise InputError(f"{name}: the shoulders are not both in the picture; {_ADVICE}")
    for side, hand in _HANDS:
        if not found.found[0, hand].any():
            raise InputError(
                f"{name}: the person's {side} hand is not found, it is hidden or out of the picture; {_ADVICE}"
            )


def _check_hands(name: str, cropped: PoseTrack) -> None:
    """Both in the square, but for a few points."""
    size = cropped.size[0]
    for side, hand in _HANDS:
        points = cropped.keypoints[0, hand]
        inside = ((points >= 0) & (points <= size)).all(-1) & cropped.found[0, hand]
        if inside.mean() < _WHOLE:
            raise InputError(
                f"{name}: of the person's {side} hand {inside.mean():.0%} lies in the square of {size} pixels around "
                f"head and body, {_WHOLE:.0%} must; {_ADVICE}"
            )
