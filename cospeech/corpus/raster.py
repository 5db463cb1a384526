"""Rasterise triangles with a z-buffer for deferred shading, compiled by numba: no display, no GL.

Axes: V vertices, F triangles, H x W pixels (supersampled). World axes: x to the person's left, y away from the camera,
z up; metres. A point on screen is (x, y, distance along the view).
"""

import numba as nb
import numpy as np

SKIN, CLOTH, HAIR, WET, PLAIN = range(5)
"""Materials. WET: eyes and teeth. PLAIN: one colour, shiny (glasses)."""
PLAINLY, STRIPES, PLACKET, CHECK, DOTS = range(5)
"""Patterns of cloth."""

_CUT_SKIN, _CUT = 0.55, 0.3
_BIAS = 0.010
"""Distance that a surface may lie behind the shadow map and still be lit, metres."""


@nb.njit(cache=True)
def _hash(x: int, y: int, z: int) -> float:
    n = (x * 374761393 + y * 668265263 + z * 2147483647) & 0xFFFFFFFF
    n = ((n ^ (n >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((n ^ (n >> 16)) & 0xFFFF) / 65535.0


@nb.njit(cache=True)
def value_noise(x: float, y: float, z: float) -> float:
    """Return smooth noise in 0..1 with features of size 1."""
    ix, iy, iz = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    fx, fy, fz = x - ix, y - iy, z - iz
    fx, fy, fz = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy), fz * fz * (3 - 2 * fz)
    total = 0.0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                weight = (fx if a else 1 - fx) * (fy if b else 1 - fy) * (fz if c else 1 - fz)
                total += _hash(ix + a, iy + b, iz + c) * weight
    return total


@nb.njit(cache=True)
def noise_at(points: np.ndarray, frequency: float, octaves: int, offset: float) -> np.ndarray:
    """Return fractal noise in 0..1 at points (V, 3)."""
    result = np.empty(points.shape[0])
    for i in range(points.shape[0]):
        total, norm, scale = 0.0, 0.0, frequency
        for octave in range(octaves):
            shift = offset + 5.1 * octave
            total += value_noise(points[i, 0] * scale + shift, points[i, 1] * scale + shift, points[i, 2] * scale) * (
                0.5**octave
            )
            norm += 0.5**octave
            scale *= 2
        result[i] = total / norm
    return result


@nb.njit(cache=True)
def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return unit normals (V, 3), area-weighted means of the triangles' normals."""
    normals = np.zeros((vertices.shape[0], 3))
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = (
            vertices[b, 0] - vertices[a, 0],
            vertices[b, 1] - vertices[a, 1],
            vertices[b, 2] - vertices[a, 2],
        )
        vx, vy, vz = (
            vertices[c, 0] - vertices[a, 0],
            vertices[c, 1] - vertices[a, 1],
            vertices[c, 2] - vertices[a, 2],
        )
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in (a, b, c):
            normals[k, 0] += nx
            normals[k, 1] += ny
            normals[k, 2] += nz
    for i in range(vertices.shape[0]):
        length = np.sqrt(normals[i, 0] ** 2 + normals[i, 1] ** 2 + normals[i, 2] ** 2) + 1e-12
        normals[i] /= length
    return normals


@nb.njit(cache=True)
def _is_cut(material: int, opacity: float, x: float, y: float, z: float) -> bool:
    """Return whether the surface ends here: skin under cloth, cloth at its hem, hair in strands."""
    if material == SKIN:
        return opacity > _CUT_SKIN
    if material == CLOTH:
        return opacity < _CUT
    if material == HAIR and opacity < 0.8:
        return opacity + (value_noise(x * 600, y * 600, z * 90) - 0.5) * 0.6 < _CUT
    return False


@nb.njit(cache=True, fastmath=True)
def rasterize(
    points: np.ndarray,
    triangles: np.ndarray,
    materials: np.ndarray,
    opacity: np.ndarray,
    rest: np.ndarray,
    size: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the triangle that each pixel shows.

    Args:
        points: (V, 3) on screen.
        triangles: (F, 3) int32; materials: (F,) int32.
        opacity: (V,) where its surface ends (see `_is_cut`); rest: (V, 3) rest positions, where its noise lives.
        size: H = W.

    Returns:
        inverse depth (H, W), 0 where nothing; triangle index (H, W), -1 where nothing; weights of the triangle's
        first two vertices (H, W, 2).
    """
    nearness = np.zeros((size, size))
    index = np.full((size, size), -1, np.int32)
    weights = np.zeros((size, size, 2))
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0, x1, y1, x2, y2 = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        i0, i1, i2 = 1 / points[a, 2], 1 / points[b, 2], 1 / points[c, 2]
        left, right = max(0, int(np.ceil(min(x0, x1, x2) - 0.5))), min(size - 1, int(np.floor(max(x0, x1, x2) - 0.5)))
        top, bottom = max(0, int(np.ceil(min(y0, y1, y2) - 0.5))), min(size - 1, int(np.floor(max(y0, y1, y2) - 0.5)))
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                px, py = x + 0.5, y + 0.5
                w1 = ((px - x0) * (y2 - y0) - (x2 - x0) * (py - y0)) / area
                w2 = ((x1 - x0) * (py - y0) - (px - x0) * (y1 - y0)) / area
                w0 = 1 - w1 - w2
                if w0 < 0 or w1 < 0 or w2 < 0:
                    continue
                near = w0 * i0 + w1 * i1 + w2 * i2
                if near <= nearness[y, x]:
                    continue
                q0, q1 = w0 * i0 / near, w1 * i1 / near  # perspective-correct
                q2 = 1 - q0 - q1
                if materials[t] != WET and _is_cut(
                    materials[t],
                    q0 * opacity[a] + q1 * opacity[b] + q2 * opacity[c],
                    q0 * rest[a, 0] + q1 * rest[b, 0] + q2 * rest[c, 0],
                    q0 * rest[a, 1] + q1 * rest[b, 1] + q2 * rest[c, 1],
                    q0 * rest[a, 2] + q1 * rest[b, 2] + q2 * rest[c, 2],
                ):
                    continue
                nearness[y, x], index[y, x] = near, t
                weights[y, x, 0], weights[y, x, 1] = q0, q1
    return nearness, index, weights


@nb.njit(cache=True, fastmath=True)
def depth_map(points: np.ndarray, triangles: np.ndarray, size: int) -> np.ndarray:
    """Return the shadow map (H, W): least depth in orthographic projection from the light, infinity where empty."""
    depth = np.full((size, size), np.inf)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, y0, x1, y1, x2, y2 = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9:
            continue
        left, right = max(0, int(np.ceil(min(x0, x1, x2) - 0.5))), min(size - 1, int(np.floor(max(x0, x1, x2) - 0.5)))
        top, bottom = max(0, int(np.ceil(min(y0, y1, y2) - 0.5))), min(size - 1, int(np.floor(max(y0, y1, y2) - 0.5)))
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                px, py = x + 0.5, y + 0.5
                w1 = ((px - x0) * (y2 - y0) - (x2 - x0) * (py - y0)) / area
                w2 = ((x1 - x0) * (py - y0) - (px - x0) * (y1 - y0)) / area
                w0 = 1 - w1 - w2
                if w0 < 0 or w1 < 0 or w2 < 0:
                    continue
                depth[y, x] = min(depth[y, x], w0 * points[a, 2] + w1 * points[b, 2] + w2 * points[c, 2])
    return depth


@nb.njit(cache=True, fastmath=True)
def light_reaching(depth: np.ndarray, x: float, y: float, z: float, spread: float) -> float:
    """Return the lit share, 0..1: how much of a 5 x 5 neighbourhood of the shadow map lies behind the point."""
    size = depth.shape[0]
    lit = 0
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            column, row = int(x + spread * (dx + 0.4 * dy)), int(y + spread * (dy - 0.4 * dx))
            if column < 0 or row < 0 or column >= size or row >= size or z - _BIAS < depth[row, column]:
                lit += 1
    return lit / 25
