import numpy as np
import pytest
import torch

from cospeech.models.warping.geometry import WarpGeometry
from cospeech.models.warping.limb_layers import Pose, arm_layer, forearm_layer, hand_layer
from tests.helpers.limbs import FOREARM, person, pose, turned_forearm


def between(points: torch.Tensor, pair: tuple[int, int], share: float) -> torch.Tensor:
    return torch.lerp(points[pair[0]], points[pair[1]], torch.tensor(share, dtype=points.dtype))[None]


@pytest.mark.parametrize(("layer", "keys"), [(arm_layer, [7, 9, 10, 120]), (hand_layer, [9, 91, 95, 120])])
def test_an_unmoved_limb_comes_from_where_it_is(layer, keys):
    still = pose(person())
    points = still.points_BK[0, keys]
    source, _ = layer(points, still, still, WarpGeometry())
    torch.testing.assert_close(source[0], points, atol=1e-4, rtol=0)


@pytest.mark.parametrize("angle", [0.5, -1.2, 1.6])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_point_on_a_turned_forearm_comes_from_the_same_place_of_the_forearm(angle, share):
    still, posed = person(), turned_forearm(angle)
    source, distance = arm_layer(between(posed, FOREARM, share), pose(still), pose(posed), WarpGeometry())
    torch.testing.assert_close(source[0], between(still, FOREARM, share), atol=2e-3, rtol=0)
    assert distance.item() < 0


def test_beside_the_bone_a_point_keeps_its_side_and_its_distance():
    still, posed = person(), turned_forearm(1.0)
    bone = posed[9] - posed[7]
    beside = between(posed, FOREARM, 0.5) + 0.01j * bone / bone.abs()
    source, _ = forearm_layer(beside, pose(still), pose(posed), WarpGeometry())
    bone = still[9] - still[7]
    torch.testing.assert_close(source[0], between(still, FOREARM, 0.5) + 0.01j * bone / bone.abs(), atol=1e-3, rtol=0)


def test_a_foreshortened_forearm_is_stretched_from_joint_to_joint():
    posed = person()
    posed[[9, *range(91, 112)]] -= (posed[9] - posed[7]) / 2
    source, _ = forearm_layer(between(posed, FOREARM, 0.5), pose(person()), pose(posed), WarpGeometry())
    torch.testing.assert_close(source[0], between(person(), FOREARM, 0.5), atol=1e-3, rtol=0)


def test_fingertips_come_from_fingertips():
    still, posed = person(), turned_forearm(0.8)
    tips = [91 + 4 * finger for finger in range(1, 6)]
    source, distance = hand_layer(posed[tips], pose(still), pose(posed), WarpGeometry())
    torch.testing.assert_close(source[0], still[tips], atol=3e-3, rtol=0)
    assert (distance < 0).all()


def test_distance_is_that_to_the_bone_less_its_radius_in_shoulder_widths():
    """Against plain numpy."""
    still = pose(person())
    points = still.points_BK[0].numpy()
    at = np.complex64(0.9 + 0.6j)
    expected = []
    for first, second in ((7, 9), (8, 10)):
        line = np.linspace(points[first], points[second], 2001)
        expected.append(np.abs(line - at).min() / abs(points[5] - points[6]) - 0.11)
    _, distance = forearm_layer(torch.tensor([at]), still, still, WarpGeometry())
    assert distance.item() == pytest.approx(min(expected), abs=1e-3)


def test_points_far_from_both_hands_are_not_theirs():
    still = pose(person())
    _, distance = hand_layer(torch.tensor([0.5 + 0.05j, 0.02 + 0.02j]), still, still, WarpGeometry())
    assert (distance > 1).all()


@pytest.mark.parametrize(("layer", "missing"), [(arm_layer, [7, 8, 9, 10]), (hand_layer, [*range(91, 133)])])
def test_a_limb_that_was_not_found_is_nowhere(layer, missing):
    still = pose(person())
    seen = still.seen_BK.clone()
    seen[:, missing] = False
    _, distance = layer(still.points_BK[0], still, Pose(still.points_BK, seen), WarpGeometry())
    assert (distance > 10).all()
