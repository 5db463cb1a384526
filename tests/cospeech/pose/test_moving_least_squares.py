import numpy as np
import pytest
import torch

from cospeech.pose.moving_least_squares import deform_rigidly, squared_distance

RNG = np.random.default_rng(0)


def points(*shape: int) -> np.ndarray:
    return RNG.random(shape) + 1j * RNG.random(shape)


def deformed(point: complex, control: np.ndarray, moved: np.ndarray, weight: np.ndarray) -> complex:
    """One point, as the paper writes it: centroids, then the rotation that fits best about them."""
    w = weight / (abs(point - control) ** 2 + 0.01**2) ** 1.5
    p, q = (w @ control) / w.sum(), (w @ moved) / w.sum()
    turn = (w * (control - p).conj()) @ (moved - q)
    return q + (point - p) * turn / abs(turn)


def test_many_points_at_once_are_each_deformed_as_the_paper_says():
    at, control, moved = points(7), points(3, 20), points(3, 20)
    weight = RNG.random((3, 20)) * (RNG.random((3, 20)) > 0.3)
    expected = [[deformed(z, *rows) for z in at] for rows in zip(control, moved, weight, strict=True)]
    found = deform_rigidly(
        *(torch.from_numpy(x).to(torch.complex64) for x in (at, control, moved)), torch.tensor(weight).float()
    )
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)


def test_a_rotation_and_a_shift_are_found_exactly():
    control, turn = points(1, 9), np.exp(0.7j)
    at = torch.from_numpy(points(5)).to(torch.complex64)
    moved = torch.from_numpy(control * turn + 0.2).to(torch.complex64)
    found = deform_rigidly(at, torch.from_numpy(control).to(torch.complex64), moved, torch.ones(1, 9))
    torch.testing.assert_close(found[0], at * complex(turn) + 0.2, atol=1e-5, rtol=0)


@pytest.mark.parametrize("conjugated", [False, True])
def test_squared_distances_are_of_all_pairs(conjugated):
    at, other = points(4), points(2, 3)
    given = torch.from_numpy(other.conj()).conj() if conjugated else torch.from_numpy(other)
    expected = abs(at - other[..., None]) ** 2
    np.testing.assert_allclose(squared_distance(torch.from_numpy(at), given).numpy(), expected)
