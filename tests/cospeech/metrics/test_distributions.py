import numpy as np
import pytest
import scipy.linalg

from cospeech.metrics.distributions import frechet_distance


def by_matrix_root(a: np.ndarray, b: np.ndarray) -> float:
    """As the formula stands, with scipy's root of the product of the covariances."""
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(first @ second).real
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(first + second - 2 * root))


def test_agrees_with_the_matrix_root() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(60, 6)) @ rng.normal(size=(6, 6)), rng.normal(1, 2, size=(40, 6))
    assert frechet_distance(a, b) == pytest.approx(by_matrix_root(a, b), rel=1e-6)


def test_agrees_with_torchmetrics() -> None:
    import torch
    from torchmetrics.image.fid import _compute_fid

    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(50, 8)), rng.normal(0.5, 1.5, size=(70, 8))
    moments = [torch.from_numpy(each) for x in (a, b) for each in (x.mean(0), np.cov(x, rowvar=False))]
    assert frechet_distance(a, b) == pytest.approx(float(_compute_fid(*moments)), rel=1e-6)


def test_known_distances() -> None:
    x = np.random.default_rng(2).normal(size=(500, 4))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x + 3, x) == pytest.approx(4 * 9)  # the mean alone
    assert frechet_distance(2 * (x - x.mean(0)), x - x.mean(0)) == pytest.approx(np.var(x, axis=0, ddof=1).sum())
    assert frechet_distance(x[:1], x) is None


def test_fewer_things_than_features() -> None:
    """Singular covariances, where a matrix root is fragile: rows of zeros added to the features change nothing."""
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(5, 3)), rng.normal(1, 1, size=(6, 3))
    wide = [np.pad(each, ((0, 0), (0, 300))) for each in (a, b)]
    assert frechet_distance(*wide) == pytest.approx(by_matrix_root(a, b), rel=1e-6)
