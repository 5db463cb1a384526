"""A picture file to a person who can talk: found, checked, cropped to the square that the model knows."""

import warnings
from contextlib import closing
from pathlib import Path

import numpy as np

from cospeech.footage.crop import Crop, find_crop, shows_face
from cospeech.inference.conditioning import Person
from cospeech.inference.errors import InputError
from cospeech.pose import skeleton as sk
from cospeech.pose.detectors import Detector
from cospeech.pose.faces import count_faces
from cospeech.pose.mediapipe import MediaPipeDetector, MediaPipeOptions
from cospeech.pose.track import PoseTrack

LEAST = 128
"""Pixels a side of the square that shows the person, at least: below, no face can be told."""
LARGEST = 2048
"""Pixels of a picture's longer side; larger ones are reduced to it."""
_MOST_PIXELS = 178_956_970
"""Above, Pillow refuses by itself."""
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
    picture = read_picture(Path(path))
    if detector is not None:
        return find_person(picture, detector, str(path))
    with closing(MediaPipeDetector(MediaPipeOptions())) as own:
        return find_person(picture, own, str(path))


def read_picture(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB, its longer side at most `LARGEST`; what is transparent is white.

    Raises:
        InputError: absent, no picture, damaged, or beyond 178 million pixels.
    """
    from PIL import Image, ImageOps

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # we have a limit of our own
            with Image.open(path) as image:
                width, height = image.size
                if width * height > _MOST_PIXELS:
                    raise InputError(f"{path}: {width} x {height} pixels are more than {_MOST_PIXELS // 10**6} million")
                image.draft("RGB", (LARGEST, LARGEST))  # a JPEG need not be unpacked in full
                upright = ImageOps.exif_transpose(image)
                upright.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS, reducing_gap=2.0)
                rgba = upright.convert("RGBA")
    except Image.DecompressionBombError:
        raise InputError(f"{path}: has more than {_MOST_PIXELS // 10**6} million pixels; make it smaller") from None
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not a picture that can be read ({error})") from error
    return np.array(Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB"))


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
