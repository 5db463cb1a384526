"""Colour of what each pixel sees: skin and eyes from a texture, cloth and hair from noise, one soft key light."""

from dataclasses import dataclass

import numba as nb
import numpy as np

from stages.lib.corpus.raster import (
    CHECK,
    CLOTH,
    DOTS,
    HAIR,
    LASH,
    PLACKET,
    SKIN,
    STRIPES,
    WET,
    light_reaching,
    value_noise,
)

_KEY, _FILL, _AMBIENT = (0.80, 0.77, 0.725), (0.235, 0.25, 0.285), 0.42


@dataclass(frozen=True)
class Palette:
    """Colours (3,) linear RGB of one person; pattern is one of `raster`'s; trim: height of the collar's band."""

    cloth: np.ndarray
    second: np.ndarray
    pattern: int
    hair: np.ndarray
    plain: np.ndarray


@nb.njit(cache=True, fastmath=True)
def _texel(texture: np.ndarray, u: float, v: float) -> tuple[float, float, float]:
    """Bilinear; v runs up."""
    height, width = texture.shape[0], texture.shape[1]
    x, y = u * width - 0.5, (1 - v) * height - 0.5
    column, row = max(0, min(width - 2, int(x))), max(0, min(height - 2, int(y)))
    fx, fy = x - column, y - row
    top = texture[row, column] * (1 - fx) + texture[row, column + 1] * fx
    bottom = texture[row + 1, column] * (1 - fx) + texture[row + 1, column + 1] * fx
    mixed = top * (1 - fy) + bottom * fy
    return mixed[0], mixed[1], mixed[2]


@nb.njit(cache=True, fastmath=True)
def _pattern(kind: int, x: float, z: float, hem: float) -> float:
    """0 first colour, 1 second, at a rest position on the garment; `hem` grows from 0.3 at its edge."""
    if kind == STRIPES:
        return 1.0 if (z * 26.0) % 1.0 < 0.36 else 0.0
    if kind == PLACKET:
        return 1.0 if abs(x) < 0.014 or hem < 0.85 else 0.0
    if kind == CHECK:
        return 0.5 * ((1.0 if (z * 17.0) % 1.0 < 0.3 else 0.0) + (1.0 if (x * 17.0) % 1.0 < 0.3 else 0.0))
    if kind == DOTS:
        row = np.floor(z * 26.0)
        dx, dz = (x * 26.0 + 0.5 * (row % 2)) % 1.0 - 0.5, (z * 26.0) % 1.0 - 0.5
        return 1.0 if dx * dx + dz * dz < 0.06 else 0.0
    return 0.0


@nb.njit(cache=True, fastmath=True)
def shade(
    index: np.ndarray,
    weights: np.ndarray,
    triangles: np.ndarray,
    corners: np.ndarray,
    materials: np.ndarray,
    vertices: np.ndarray,
    normals: np.ndarray,
    rest: np.ndarray,
    opacity: np.ndarray,
    coordinates: np.ndarray,
    texture: np.ndarray,
    shadow_points: np.ndarray,
    shadow: np.ndarray,
    lights: np.ndarray,
    camera: np.ndarray,
    palette: np.ndarray,
    pattern: int,
    background: np.ndarray,
) -> np.ndarray:
    """Shade the pixels that `rasterize` found.

    Args:
        corners: (F, 3) index into the texture coordinates (U, 2); texture: (h, w, 3).
        shadow_points: (V, 3) in the frame of the shadow map `shadow`.
        lights: (2, 3) unit directions towards key and fill; camera: (3,) position.
        palette: (4, 3) cloth, its second colour, hair, plain.
        background: (H, W, 3).

    Returns:
        (H, W, 3) linear RGB, not clipped.
    """
    height, width = index.shape
    image = background.copy()
    for y in range(height):
        for x in range(width):
            t = index[y, x]
            if t < 0:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            w0, w1 = weights[y, x, 0], weights[y, x, 1]
            w2 = 1 - w0 - w1
            p = w0 * vertices[a] + w1 * vertices[b] + w2 * vertices[c]
            n = w0 * normals[a] + w1 * normals[b] + w2 * normals[c]
            r = w0 * rest[a] + w1 * rest[b] + w2 * rest[c]
            material = materials[t]
            gloss, hardness, wrap = 0.0, 8.0, 0.0
            red, green, blue = palette[3, 0], palette[3, 1], palette[3, 2]
            if material == SKIN or material == WET:
                i, j, k = corners[t, 0], corners[t, 1], corners[t, 2]
                red, green, blue = _texel(
                    texture,
                    w0 * coordinates[i, 0] + w1 * coordinates[j, 0] + w2 * coordinates[k, 0],
                    w0 * coordinates[i, 1] + w1 * coordinates[j, 1] + w2 * coordinates[k, 1],
                )
                gloss, hardness, wrap = (0.085, 13.0, 0.3) if material == SKIN else (0.55, 90.0, 0.3)
            elif material == CLOTH:
                fold = value_noise(r[0] * 13, r[1] * 13, r[2] * 8) - 0.5
                crease = value_noise(r[0] * 38 + 7, r[1] * 38, r[2] * 20) - 0.5
                n[0] += fold * 0.45 + crease * 0.18
                n[2] += crease * 0.22 + fold * 0.15
                hem = w0 * opacity[a] + w1 * opacity[b] + w2 * opacity[c]
                share = _pattern(pattern, r[0], r[2], hem)
                weave = (0.9 + 0.2 * value_noise(r[0] * 400, r[1] * 400, r[2] * 400)) * (0.75 if hem < 0.55 else 1.0)
                red = (palette[0, 0] * (1 - share) + palette[1, 0] * share) * weave
                green = (palette[0, 1] * (1 - share) + palette[1, 1] * share) * weave
                blue = (palette[0, 2] * (1 - share) + palette[1, 2] * share) * weave
                gloss = 0.015
            elif material == HAIR:
                fine = value_noise(r[0] * 420, r[1] * 420, r[2] * 32)
                lock = value_noise(r[0] * 95 + 3, r[1] * 95, r[2] * 14)
                tone = 0.5 + 0.45 * fine + 0.5 * lock
                n[0] += (lock - 0.5) * 0.55 + (fine - 0.5) * 0.3
                n[2] += (lock - 0.5) * 0.3
                red, green, blue = palette[2, 0] * tone, palette[2, 1] * tone, palette[2, 2] * tone
                gloss, hardness = 0.075, 16.0
            elif material == LASH:
                red, green, blue = palette[2, 0] * 0.25, palette[2, 1] * 0.25, palette[2, 2] * 0.25
            else:
                gloss, hardness = 0.5, 40.0
            n /= np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]) + 1e-9
            view = camera - p
            view /= np.sqrt(view[0] * view[0] + view[1] * view[1] + view[2] * view[2])
            facing = n[0] * view[0] + n[1] * view[1] + n[2] * view[2]
            if facing < 0 and material != SKIN and material != WET:
                n, facing = -n, -facing
            s = w0 * shadow_points[a] + w1 * shadow_points[b] + w2 * shadow_points[c]
            lit = light_reaching(shadow, s[0], s[1], s[2], 2.8)
            key = n[0] * lights[0, 0] + n[1] * lights[0, 1] + n[2] * lights[0, 2]
            fill = n[0] * lights[1, 0] + n[1] * lights[1, 1] + n[2] * lights[1, 2]
            direct, around = max(0.0, key) * lit, max(0.0, (fill + 0.35) / 1.35)
            # light that enters skin comes out redder and past the edge of the shadow
            bled = direct + wrap * max(0.0, (key + 0.4) / 1.4) * (0.25 + 0.75 * lit) * 0.5
            half = lights[0] + view
            half /= np.sqrt(half[0] * half[0] + half[1] * half[1] + half[2] * half[2])
            highlight = gloss * lit * max(0.0, n[0] * half[0] + n[1] * half[1] + n[2] * half[2]) ** hardness
            highlight += 0.025 * (1 - max(0.0, facing)) ** 3
            sky = _AMBIENT * (0.8 + 0.2 * n[2])
            image[y, x, 0] = red * (_KEY[0] * bled + _FILL[0] * around + sky) + highlight
            image[y, x, 1] = green * (_KEY[1] * (0.75 * direct + 0.25 * bled) + _FILL[1] * around + sky) + highlight
            image[y, x, 2] = blue * (_KEY[2] * (0.8 * direct + 0.2 * bled) + _FILL[2] * around + sky) + highlight
    return image
