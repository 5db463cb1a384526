"""A person made of keypoints, for tests of what moves pictures."""

import torch

from cospeech.models.warping.limb_layers import Pose

UPPER_ARM, FOREARM, WRIST = (5, 7), (7, 9), 9


def person() -> torch.Tensor:
    """(133,) complex keypoints in 0..1: upright, arms down and a little out, open hands."""
    points = torch.full((133,), 0.5 + 0.9j, dtype=torch.complex64)
    points[[5, 6, 7, 8, 9, 10, 11, 12]] = torch.tensor(
        [0.62 + 0.4j, 0.38 + 0.4j, 0.7 + 0.58j, 0.3 + 0.58j, 0.66 + 0.74j, 0.34 + 0.74j, 0.58 + 0.85j, 0.42 + 0.85j]
    )
    points[:5] = 0.5 + 0.22j + torch.tensor([0, 0.02 - 0.02j, -0.02 - 0.02j, 0.05, -0.05])
    angle = torch.linspace(0, torch.pi, 17)
    points[23:40] = 0.5 + 0.22j + torch.complex(-0.07 * angle.cos(), 0.09 * angle.sin())
    points[40:91] = (
        0.5 + 0.22j + torch.complex(torch.linspace(-0.05, 0.05, 51), 0.03 * torch.linspace(0, 18.0, 51).sin())
    )
    for first, wrist in ((91, 9), (112, 10)):
        points[first] = points[wrist]
        for finger in range(5):
            direction = torch.polar(torch.tensor(1.0), torch.tensor(0.9 + 0.35 * finger))
            for joint in range(4):
                points[first + 1 + 4 * finger + joint] = points[wrist] + direction * (0.03 + 0.015 * joint)
    return points


def pose(*people: torch.Tensor) -> Pose:
    points = torch.stack(people)
    return Pose(points, torch.ones(points.shape, dtype=torch.bool))


def turned_forearm(angle: float) -> torch.Tensor:
    """`person` with the left forearm and hand turned about the elbow."""
    points = person()
    moved = [9, *range(91, 112)]
    points[moved] = points[7] + (points[moved] - points[7]) * torch.polar(torch.tensor(1.0), torch.tensor(angle))
    return points
