import numpy as np
import pytest

pytest.importorskip("numba", reason="the optional extra 'corpus' is not installed")

from cospeech.corpus.raster import CLOTH, SKIN, WET, depth_map, light_reaching, noise_at, rasterize, vertex_normals

TRIANGLE = np.array([[0, 1, 2]], np.int32)


def _draw(points: np.ndarray, triangles: np.ndarray, materials: list[int], opacity: np.ndarray | None = None) -> tuple:
    opacity = np.zeros(len(points)) if opacity is None else opacity
    return rasterize(points, triangles, np.array(materials, np.int32), opacity, np.zeros_like(points), 32)


def test_coverage_matches_a_slow_test_of_every_pixel_centre() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        corners = rng.uniform(-4, 36, (3, 2))
        points = np.concatenate([corners, rng.uniform(1, 3, (3, 1))], 1)
        _, index, weights = _draw(points, TRIANGLE, [WET])
        y, x = np.mgrid[0:32, 0:32] + 0.5
        affine = np.concatenate([corners.T, np.ones((1, 3))])
        inside = np.linalg.solve(affine, np.stack([x.ravel(), y.ravel(), np.ones(1024)])).reshape(3, 32, 32)
        clear = np.abs(inside).min(0) > 1e-6
        np.testing.assert_array_equal((index == 0)[clear], (inside >= 0).all(0)[clear])
        perspective = inside / points[:, 2, None, None]
        perspective /= perspective.sum(0)
        np.testing.assert_allclose(weights[index == 0], perspective[:2].transpose(1, 2, 0)[index == 0], atol=1e-6)


def test_the_nearer_triangle_wins_whatever_the_order() -> None:
    square = np.array([[0.0, 0.0], [40.0, 0.0], [0.0, 40.0]])
    far, near = np.insert(square, 2, 3.0, axis=1), np.insert(square, 2, 2.0, axis=1)
    for points, winner in ((np.concatenate([far, near]), 1), (np.concatenate([near, far]), 0)):
        nearness, index, _ = _draw(points, np.array([[0, 1, 2], [3, 4, 5]], np.int32), [WET, WET])
        assert index[5, 5] == winner
        assert nearness[5, 5] == pytest.approx(0.5)


def test_skin_ends_where_cloth_begins() -> None:
    points = np.array([[0.0, 0.0, 1.0], [64.0, 0.0, 1.0], [0.0, 64.0, 1.0]])
    inside = points[:, 0] / 32  # opacity 0 on the left, 1 on the right of the picture
    _, skin, _ = _draw(points, TRIANGLE, [SKIN], inside)
    _, cloth, _ = _draw(points, TRIANGLE, [CLOTH], inside)
    assert skin[4, 2] == 0
    assert skin[4, 28] == -1
    assert cloth[4, 2] == -1
    assert cloth[4, 28] == 0
    assert ((skin == 0) | (cloth == 0)).all(), "no gap between them"


def test_normals_of_a_sphere_point_outwards() -> None:
    polar, azimuth = np.meshgrid(np.linspace(0.2, 2.9, 20), np.linspace(0, 2 * np.pi, 40), indexing="ij")
    ball = np.stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], 2).reshape(-1, 3)
    a = (np.arange(19)[:, None] * 40 + np.arange(39)).ravel()
    triangles = np.concatenate([np.stack([a, a + 40, a + 1], 1), np.stack([a + 1, a + 40, a + 41], 1)]).astype(np.int32)
    normals = vertex_normals(ball, triangles)
    assert np.einsum("vk,vk->v", normals, ball).min() > 0.95


def test_shadow_falls_behind_and_not_in_front() -> None:
    depth = depth_map(np.array([[0.0, 0.0, 1.0], [40.0, 0.0, 1.0], [0.0, 40.0, 1.0]]), TRIANGLE, 32)
    assert depth[3, 3] == pytest.approx(1)
    assert depth[31, 31] == np.inf
    assert light_reaching(depth, 8, 8, 2.0, 1.0) == 0
    assert light_reaching(depth, 8, 8, 1.0, 1.0) == 1
    assert 0 < light_reaching(depth, 20, 20, 2.0, 1.0) < 1


def test_noise_is_smooth_and_fills_its_range() -> None:
    points = np.random.default_rng(0).uniform(-50, 50, (4000, 3))
    noise = noise_at(points, 1.0, 1, 0.0)
    assert 0 <= noise.min() < 0.15
    assert 0.85 < noise.max() <= 1
    assert np.abs(noise_at(points + 1e-4, 1.0, 1, 0.0) - noise).max() < 1e-3
