import numpy as np
import pytest

from cospeech.footage.crop import find_crop, shows_face
from cospeech.pose.track import PoseTrack, join_tracks


def person(x: float, y: float, width: float, hands: float, size: tuple[int, int] = (1080, 1920)) -> PoseTrack:
    """Somebody whose brow is at x, y, shoulders `width` apart, hands `hands` below the brow, in one frame."""
    keypoints, confidence = np.zeros((133, 2)), np.ones(133)
    keypoints[:] = (x, y + width)
    keypoints[23:91] = (x, y)
    keypoints[31] = (x, y + width / 2)  # the chin
    keypoints[[5, 6], 0] = (x + width / 2, x - width / 2)
    keypoints[91:112] = (x + width, y + hands)
    keypoints[112:133] = (x - width, y + hands)
    return PoseTrack(keypoints[None], confidence[None], size)


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1080, 1920), (1000, 900)])
def test_head_and_hands_are_inside_the_square_and_the_square_inside_the_picture(width: int, height: int) -> None:
    track = join_tracks([person(500 + step, 300, 200, 300 + step, (height, width)) for step in range(12)])
    crop = find_crop(track)
    assert 0 <= crop.x <= width - crop.size
    assert 0 <= crop.y <= height - crop.size
    assert crop.y < 300 - 0.5 * 100  # room for hair
    for keypoints in track.keypoints[1:-1]:
        assert (keypoints >= (crop.x, crop.y)).all()
        assert (keypoints[23:] <= (crop.x + crop.size, crop.y + crop.size)).all()
    assert crop.size < 700


def test_what_is_too_tall_keeps_its_head() -> None:
    crop = find_crop(person(400, 200, 200, 1500, (1800, 800)))
    assert crop.size == 800
    assert crop.y < 200


def test_points_not_seen_do_not_count() -> None:
    hidden = person(500, 300, 200, 300).without(np.arange(91, 112))
    hidden.keypoints[:, 91:112] = (5000, 5000)
    assert find_crop(hidden).size <= find_crop(person(500, 300, 200, 300)).size


def test_a_detection_without_face_is_none() -> None:
    whole = person(500, 300, 200, 300)
    assert shows_face(join_tracks([whole, whole.without(np.arange(23, 91))])).tolist() == [True, False]
