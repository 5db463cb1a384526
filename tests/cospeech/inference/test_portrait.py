"""Pictures of a person of the corpus, spoilt in each way."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cospeech.inference.errors import InputError
from cospeech.inference.portrait import read_portrait
from cospeech.media import iter_frames
from cospeech.media.images import LARGEST
from cospeech.pose import skeleton as sk
from cospeech.pose.mediapipe import MediaPipeDetector, MediaPipeOptions


@pytest.fixture(scope="module")
def detector() -> Iterator[MediaPipeDetector]:
    detector = MediaPipeDetector(MediaPipeOptions())
    yield detector
    detector.close()


@pytest.fixture(scope="module")
def somebody(repository: Path) -> np.ndarray:
    return next(iter_frames(sorted((repository / "data/demo/clips").glob("*.mp4"))[0]))


def save(folder: Path, picture: np.ndarray, name: str = "given.png", **how: object) -> Path:
    Image.fromarray(picture).save(folder / name, **how)
    return folder / name


def test_a_square_picture_is_taken_as_it_is(tmp_path: Path, detector: MediaPipeDetector, somebody: np.ndarray) -> None:
    person = read_portrait(save(tmp_path, somebody), detector)
    np.testing.assert_array_equal(person.picture, somebody)
    assert person.confidence[sk.HANDS].min() > 0
    assert person.keypoints[sk.FACE, 1].mean() < person.keypoints[sk.LEFT_HAND, 1].mean()


def test_a_wide_picture_is_cropped_to_the_person(
    tmp_path: Path, detector: MediaPipeDetector, somebody: np.ndarray
) -> None:
    large = cv2.resize(somebody, (512, 512))
    wide = np.pad(large, ((0, 0), (300, 60), (0, 0)), mode="edge")
    person = read_portrait(save(tmp_path, wide), detector)
    alone = read_portrait(save(tmp_path, large), detector)
    size = len(person.picture)
    assert size == person.picture.shape[1] <= 512
    assert size - np.ptp(person.keypoints[sk.ARMS, 0]) > 0
    assert abs(np.ptp(person.keypoints[sk.FACE, 0]) - np.ptp(alone.keypoints[sk.FACE, 0])) < 6
    for hand in (sk.LEFT_HAND, sk.RIGHT_HAND):
        assert (person.keypoints[hand] >= 0).all()
        assert (person.keypoints[hand] <= size).all()


def test_a_huge_picture_is_reduced(tmp_path: Path, detector: MediaPipeDetector, somebody: np.ndarray) -> None:
    person = read_portrait(save(tmp_path, cv2.resize(somebody, (6000, 6000)), "given.jpg"), detector)
    assert person.picture.shape == (LARGEST, LARGEST, 3)


def two_people(picture: np.ndarray) -> np.ndarray:
    return np.concatenate([picture, picture[:, ::-1]], 1)


def without_hands(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture[:130, 63:193], (512, 512))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda picture: np.full((300, 300, 3), 128, np.uint8), "no face is found"),
        (two_people, "2 faces are found"),
        (without_hands, "hand is not found, it is hidden or out of the picture|lies in the square"),
        (lambda picture: picture[:100, :100], "100 x 100 pixels; each side must have 128"),
    ],
    ids=["nobody", "several faces", "hands out of the picture", "tiny"],
)
def test_what_cannot_be_used_says_why(
    tmp_path: Path,
    detector: MediaPipeDetector,
    somebody: np.ndarray,
    spoil: Callable[[np.ndarray], np.ndarray],
    message: str,
) -> None:
    path = save(tmp_path, np.ascontiguousarray(spoil(somebody)))
    with pytest.raises(InputError, match=message) as caught:
        read_portrait(path, detector)
    assert str(path) in str(caught.value)


def test_files_that_are_no_pictures(tmp_path: Path, detector: MediaPipeDetector) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_portrait(tmp_path / "absent.png", detector)
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(InputError, match=r"text\.png: not a picture that can be read"):
        read_portrait(tmp_path / "text.png", detector)
