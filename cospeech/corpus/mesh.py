"""Read the base mesh of MakeHuman (CC0): parts, texture coordinates, and masks painted on them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Part:
    """A part of a mesh. triangles: (F, 3) vertex indices. corners: (F, 3) texture coordinate indices."""

    triangles: np.ndarray
    corners: np.ndarray

    def where(self, keep: np.ndarray) -> "Part":
        """Return the triangles for which `keep` (F,) is true."""
        return Part(self.triangles[keep], self.corners[keep])


@dataclass(frozen=True)
class BaseMesh:
    """The base mesh. coordinates: (U, 2) texture coordinates in 0..1, v up."""

    coordinates: np.ndarray
    parts: dict[str, Part]


def read_base_mesh(data: Path) -> BaseMesh:
    """Read base.obj, splitting polygons into triangle fans."""
    coordinates: list[list[float]] = []
    polygons: dict[str, list[list[list[int]]]] = {}
    group = ""
    for line in (data / "3dobjs/base.obj").read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if not fields:
            continue
        if fields[0] == "vt":
            coordinates.append([float(value) for value in fields[1:3]])
        elif fields[0] == "g":
            group = fields[1]
        elif fields[0] == "f":
            corners = [[int(number) - 1 for number in corner.split("/")[:2]] for corner in fields[1:]]
            fan = [[corners[0], corners[k], corners[k + 1]] for k in range(1, len(corners) - 1)]
            polygons.setdefault(group, []).extend(fan)
    parts = {}
    for name, triangles in polygons.items():
        if not name.startswith("joint"):
            array = np.array(triangles, dtype=np.int32)
            parts[name] = Part(array[:, :, 0], array[:, :, 1])
    return BaseMesh(np.array(coordinates), parts)


def read_mask(data: Path, name: str, size: int) -> np.ndarray:
    """Read a region that is painted on the texture ("lips", "eyelids", "ears", ...), (size, size) in 0..1."""
    from PIL import Image

    image = Image.open(data / "textures" / f"mpfb_{name}.jpg").convert("L")
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), dtype=np.float64) / 255


def mask_on_vertices(mask: np.ndarray, part: Part, coordinates: np.ndarray, vertices: int) -> np.ndarray:
    """Return the maximum of `mask` over the texture coordinates of each vertex, (vertices,)."""
    size = len(mask)
    u, v = coordinates[part.corners.ravel()].T
    rows = np.clip(((1 - v) * size).astype(int), 0, size - 1)
    columns = np.clip((u * size).astype(int), 0, size - 1)
    result = np.zeros(vertices)
    np.maximum.at(result, part.triangles.ravel(), mask[rows, columns])
    return result


def smoothstep(start: float, end: float, x: np.ndarray) -> np.ndarray:
    """Rise smoothly from 0 at `start` to 1 at `end`, which may be the smaller."""
    t = np.clip((x - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)
