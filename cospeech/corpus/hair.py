"""Model hair and glasses: a shell over the scalp, and pieces attached to the head.

Lengths are metres on a face of scale 1; `q` are positions relative to the point between the eyes, divided by the
face's scale: x to the person's left, y backwards, z up.
"""

from dataclasses import dataclass

import numpy as np

from cospeech.corpus.cast import HairStyle, Person
from cospeech.corpus.mesh import smoothstep
from cospeech.corpus.raster import HAIR, PLAIN, noise_at

_HEAD_MIDDLE = 0.085
"""y of the centre of the skull."""


@dataclass(frozen=True)
class Piece:
    """A separate mesh. opacity: (v,), see `raster`. grip: (v,), 1 moves with the head, 0 with the chest."""

    vertices: np.ndarray
    triangles: np.ndarray
    opacity: np.ndarray
    grip: np.ndarray
    material: int


def hairline(q: np.ndarray, person: Person) -> np.ndarray:
    """Return the height above the local hairline, (V,) metres; positive where hair grows."""
    front = np.clip(-(q[:, 1] - _HEAD_MIDDLE) / 0.1, -1, 1)
    aside = np.minimum(np.abs(q[:, 0]), 0.07)
    if person.hair.style == "bob":  # a fringe
        forehead = 0.046 + 0 * aside
    elif person.body.sex > 0.5:
        forehead = 0.078 - 7.0 * aside**2
    else:
        recess = 0.005 + 0.016 * float(np.clip((person.body.age - 0.55) / 0.3, 0, 1))
        forehead = 0.074 - 2.0 * aside**2 + recess * np.exp(-(((aside - 0.042) / 0.016) ** 2))
    line = np.interp(front, [-1.0, -0.15, 0.05, 0.30, 0.52], [-0.075, -0.015, -0.004, 0.020, 0.050])
    line += (forehead - line) * smoothstep(0.45, 0.62, front)
    return q[:, 2] - line


def scalp(q: np.ndarray, person: Person, ears: np.ndarray) -> np.ndarray:
    """Return where hair grows, (V,) 0..1; the border is 12 mm wide."""
    cover = smoothstep(-0.003, 0.009, hairline(q, person)) * (1 - np.clip(2 * ears, 0, 1))
    return cover * float(person.hair.style != "bald")


def thickness(q: np.ndarray, rest: np.ndarray, person: Person) -> np.ndarray:
    """Return the distance of the hair shell from the scalp, (V,) metres; 0 at the hairline."""
    rise = smoothstep(0.0, 0.012 if person.hair.style == "bob" else 0.030, hairline(q, person))
    top = smoothstep(0.035, 0.095, q[:, 2])
    seed = float(person.seed)
    broad = noise_at(rest, 45, 2, seed)
    style = person.hair.style
    if style == "buzz":
        return rise * 0.004
    if style == "curls":
        knots = noise_at(rest, 85, 2, seed + 2)
        return smoothstep(0.0, 0.022, hairline(q, person)) * (0.012 + 0.022 * knots + 0.016 * top)
    if style == "quiff":
        forward = np.exp(-(((q[:, 1] - 0.035) / 0.035) ** 2)) * top
        return rise * (0.005 + 0.012 * top + 0.008 * broad) + forward * (0.012 + 0.012 * broad) * rise
    if style == "short":
        return rise * (0.005 + 0.011 * top + 0.009 * broad)
    return rise * (0.008 + 0.007 * top + 0.004 * broad)  # combed back: bob, long, bun, ponytail


def pieces(person: Person, head: np.ndarray, centre: np.ndarray, scale: float) -> list[Piece]:
    """Return the pieces attached to the head: hanging hair and glasses.

    Args:
        head: (h, 3) vertices of skull and ears at rest; centre, scale: of the face.
    """
    q = (head - centre) / scale
    made: list[Piece] = []
    style: HairStyle = person.hair.style
    if style == "bob":
        made.append(_curtain(q, bottom=-0.118, opening=0.60, flare=0.010))
    elif style == "long":
        made.append(_curtain(q, bottom=-0.215, opening=0.64, flare=0.004))
    elif style == "bun":
        made.append(_ellipsoid((0.0, 0.105, 0.148), (0.040, 0.040, 0.034)))
    elif style == "ponytail":
        made.append(_ellipsoid((0.066, 0.115, -0.115), (0.024, 0.026, 0.105)))
    if person.glasses is not None:
        made.append(_glasses())
    return [Piece(p.vertices * scale + centre, p.triangles, p.opacity, p.grip, p.material) for p in made]


def _curtain(q: np.ndarray, bottom: float, opening: float, flare: float) -> Piece:
    """Return hair that falls from the crown around the back to both cheeks. opening: half the free angle, over pi."""
    from scipy.ndimage import gaussian_filter

    columns, rows = 49, 26
    angles = np.linspace(-1, 1, columns) * np.pi * opening  # 0 at the back
    heights = np.linspace(0.098, bottom, rows)
    radius = np.zeros((rows, columns))
    around = np.arctan2(q[:, 0], q[:, 1] - _HEAD_MIDDLE)
    for i, z in enumerate(heights):
        level = np.abs(q[:, 2] - max(z, -0.030)) < 0.014
        for j, angle in enumerate(angles):
            near = level & (np.abs(np.angle(np.exp(1j * (around - angle)))) < 0.2)
            reach = q[near, 0] * np.sin(angle) + (q[near, 1] - _HEAD_MIDDLE) * np.cos(angle)
            radius[i, j] = reach.max(initial=0.05)
    radius = np.maximum.accumulate(radius, axis=0)
    radius = gaussian_filter(radius, (3.0, 1.5), mode="nearest")
    radius = (
        radius
        + 0.009
        + 0.004 * smoothstep(0.06, -0.05, heights)[:, None]
        + flare * smoothstep(-0.03, -0.12, heights)[:, None]
    )
    radius *= 1 - 0.10 * smoothstep(-0.07, -0.20, heights)[:, None]
    x, y = radius * np.sin(angles), radius * np.cos(angles) + _HEAD_MIDDLE
    vertices = np.stack([x, y, np.broadcast_to(heights[:, None], x.shape)], 2).reshape(-1, 3)
    share = (heights - bottom) / 0.03
    edge = np.minimum((1 - np.abs(np.linspace(-1, 1, columns))) * columns / 3 + 0.35, 1)
    opacity = np.minimum(0.25 + np.clip(share, 0, 1)[:, None], edge[None]).ravel()
    grip = np.broadcast_to(smoothstep(-0.21, -0.08, heights)[:, None], x.shape).ravel()
    return Piece(vertices, _grid(rows, columns), opacity, grip.copy(), HAIR)


def _grid(rows: int, columns: int, closed: bool = False) -> np.ndarray:
    """Return the triangles (F, 3) of a grid of rows x columns vertices; `closed` joins the last column to the first."""
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    right = (j + 1) % columns
    a, b, c, d = i * columns + j, i * columns + right, (i + 1) * columns + j, (i + 1) * columns + right
    return np.concatenate([np.stack([a, c, b], -1), np.stack([b, c, d], -1)]).reshape(-1, 3).astype(np.int32)


def _ellipsoid(middle: tuple[float, float, float], radii: tuple[float, float, float]) -> Piece:
    rows, columns = 14, 22
    polar, azimuth = np.meshgrid(
        np.linspace(0.02, np.pi - 0.02, rows), np.arange(columns) / columns * 2 * np.pi, indexing="ij"
    )
    ball = np.stack([np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], 2).reshape(-1, 3)
    count = len(ball)
    return Piece(ball * radii + middle, _grid(rows, columns, True), np.ones(count), np.ones(count), HAIR)


def _glasses() -> Piece:
    """Return glasses: two rims, a bridge and two temples, in front of eyes at x = +-0.031, y = z = 0."""
    turn = np.linspace(0, 2 * np.pi, 29)
    forward, half_width, half_height = -0.027, 0.0245, 0.0185
    tubes = []
    for side in (-1, 1):
        cosine, sine = np.cos(turn), np.sin(turn)
        square = (np.abs(cosine) ** 2.8 + np.abs(sine) ** 2.8) ** (-1 / 2.8)
        x = side * 0.032 + half_width * square * cosine
        bow = 0.35 * np.maximum(np.abs(x) - 0.035, 0)
        tubes.append(np.stack([x, forward + bow, -0.002 + half_height * square * sine], 1))
        temple = np.linspace(0, 1, 6)[:, None]
        start, end = np.array([side * 0.0565, forward + 0.008, 0.004]), np.array([side * 0.074, 0.085, 0.0])
        tubes.append(start + (end - start) * temple)
    tubes.append(np.array([[-0.0085, forward, 0.003], [0, forward - 0.001, 0.005], [0.0085, forward, 0.003]]))
    vertices, triangles, offset = [], [], 0
    for line in tubes:
        ring = _tube(line, 0.0021)
        vertices.append(ring.reshape(-1, 3))
        triangles.append(_grid(len(line), ring.shape[1], True) + offset)
        offset += ring.shape[0] * ring.shape[1]
    points = np.concatenate(vertices)
    return Piece(points, np.concatenate(triangles), np.ones(len(points)), np.ones(len(points)), PLAIN)


def _tube(line: np.ndarray, radius: float, sides: int = 6) -> np.ndarray:
    """Return rings (n, sides, 3) around a polyline (n, 3)."""
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    first = np.cross(along, [0.1, 1.0, 0.2])
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(along, first)
    turn = np.arange(sides) / sides * 2 * np.pi
    return line[:, None] + radius * (
        np.cos(turn)[None, :, None] * first[:, None] + np.sin(turn)[None, :, None] * second[:, None]
    )
