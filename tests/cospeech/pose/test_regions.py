"""Regions of a made-up person whose parts are where we put them."""

import numpy as np
import pytest

from cospeech.pose import skeleton as sk
from cospeech.pose.regions import (
    ARMS,
    BACKGROUND,
    BODY,
    FACE,
    HANDS,
    SHOULDERS,
    deformed_regions,
    region_tokens,
)
from cospeech.pose.track import PoseTrack
from tests.helpers.keypoints import unit_track

GRID = (16, 16)


def person() -> PoseTrack:
    """One frame: head at the top, arms hanging, hands at hip height, far from the body."""
    points = np.full((1, sk.KEYPOINTS, 2), 0.5)
    angle = np.linspace(0, 2 * np.pi, len(sk.FACE), endpoint=False)
    points[0, sk.FACE] = np.stack([0.5 + 0.08 * np.cos(angle), 0.18 + 0.1 * np.sin(angle)], axis=-1)
    points[0, sk.NOSE_BRIDGE[-1]] = 0.5, 0.18
    body = {
        sk.LEFT_SHOULDER: (0.65, 0.4), sk.RIGHT_SHOULDER: (0.35, 0.4), sk.LEFT_HIP: (0.6, 0.85),
        sk.RIGHT_HIP: (0.4, 0.85), sk.LEFT_ELBOW: (0.8, 0.6), sk.RIGHT_ELBOW: (0.2, 0.6), sk.LEFT_WRIST: (0.85, 0.8),
        sk.RIGHT_WRIST: (0.15, 0.8),
    }  # fmt: skip
    for index, point in body.items():
        points[0, index] = point
    points[0, sk.LEFT_HAND], points[0, sk.RIGHT_HAND] = (0.88, 0.88), (0.12, 0.88)
    return unit_track(points)


def nobody() -> PoseTrack:
    return person().without(np.arange(sk.KEYPOINTS))


def at(region_TN: np.ndarray, x: float, y: float) -> int:
    return int(region_TN.reshape(-1, *GRID)[0, int(y * GRID[0]), int(x * GRID[1])])


@pytest.mark.parametrize(
    ("x", "y", "region"),
    [
        (0.5, 0.18, FACE), (0.88, 0.88, HANDS), (0.12, 0.88, HANDS), (0.8, 0.6, ARMS), (0.2, 0.6, ARMS),
        (0.5, 0.4, SHOULDERS), (0.5, 0.65, BODY), (0.05, 0.1, BACKGROUND), (0.95, 0.3, BACKGROUND),
    ],
)  # fmt: skip
def test_each_part_is_where_its_points_are(x: float, y: float, region: int) -> None:
    assert at(region_tokens(person(), GRID), x, y) == region


def test_a_hand_before_the_face_is_a_hand() -> None:
    track = person()
    track.keypoints[0, sk.LEFT_HAND] = 0.5, 0.18
    assert at(region_tokens(track, GRID), 0.5, 0.18) == HANDS


def test_points_of_low_confidence_are_ignored() -> None:
    track = person()
    track.confidence[0, sk.HANDS] = 0.1
    region = region_tokens(track, GRID)
    assert not (region == HANDS).any()
    assert at(region, 0.12, 0.88) == BACKGROUND
    assert (region == FACE).any()


def test_the_body_goes_on_where_the_hips_are_out_of_the_picture() -> None:
    assert at(region_tokens(person().without([sk.LEFT_HIP, sk.RIGHT_HIP]), GRID), 0.5, 0.65) == BODY


def test_nobody_is_all_background() -> None:
    assert not region_tokens(nobody(), GRID).any()


def test_regions_move_with_the_person_and_differ_in_size() -> None:
    track = person()[[0, 0]]
    track.keypoints[:] += 0.0037  # no token lies exactly at a part's reach
    track.keypoints[1] += [4 / 16, 0]  # four tokens to the right, so that one hand leaves the frame
    first, second = region_tokens(track, GRID).reshape(2, *GRID)
    np.testing.assert_array_equal(first[:, :12], second[:, 4:])
    assert (first == HANDS).sum() > (second == HANDS).sum()


def test_the_grid_may_be_of_any_shape() -> None:
    """The same picture, its height squeezed, on as many fewer rows."""
    assert region_tokens(person(), (6, 20)).shape == (1, 120)
    assert set(np.unique(region_tokens(person(), (24, 40)))) == {
        BACKGROUND,
        FACE,
        HANDS,
        ARMS,
        SHOULDERS,
        BODY,
    }


def test_regions_of_a_rest_pose_move_with_a_rigid_motion() -> None:
    """Deformed by a quarter turn about the middle, the rest pose's regions are turned by it."""
    rest = person()
    still = deformed_regions(rest, rest, GRID).reshape(GRID)
    assert (still == region_tokens(rest, GRID).reshape(GRID)).mean() > 0.95  # drawn fine, then looked up
    x, y = np.moveaxis(rest.keypoints, -1, 0)
    turned = unit_track(np.stack([1 - y, x], axis=-1))  # clockwise as seen, y down
    found = deformed_regions(turned, rest, GRID).reshape(GRID)
    assert (found == np.rot90(still, -1)).mean() > 0.97  # tokens on a border may round either way


def test_a_raised_hand_takes_its_region_along() -> None:
    raised = person()
    raised.keypoints[0, sk.LEFT_HAND] += [0, -0.5]
    raised.keypoints[0, sk.LEFT_WRIST] += [0, -0.5]
    region = deformed_regions(raised, person(), GRID)
    assert at(region, 0.88, 0.38) == HANDS
    assert at(region, 0.12, 0.88) == HANDS
    assert at(region, 0.88, 0.92) != HANDS


def test_nobody_in_sight_deforms_to_background() -> None:
    assert not deformed_regions(nobody(), person(), GRID).any()
