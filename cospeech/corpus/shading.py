"""Shade pixels: skin and eyes from a texture, cloth and hair from noise, one soft key light."""

import numba as nb
import numpy as np

from cospeech.corpus.raster import CHECK, CLOTH, DOTS, HAIR, PLACKET, SKIN, STRIPES, WET, light_reaching, value_noise

_KEY, _FILL, _AMBIENT = (0.80, 0.77, 0.725), (0.235, 0.25, 0.285), 0.42


Triple = tuple[float, float, float]


@nb.njit(cache=True, fastmath=True)
def _blend(values: np.ndarray, a: int, b: int, c: int, w0: float, w1: float, w2: float) -> Triple:
    return (
        w0 * values[a, 0] + w1 * values[b, 0] + w2 * values[c, 0],
        w0 * values[a, 1] + w1 * values[b, 1] + w2 * values[c, 1],
        w0 * values[a, 2] + w1 * values[b, 2] + w2 * values[c, 2],
    )


@nb.njit(cache=True, fastmath=True)
def _unit(x: float, y: float, z: float) -> Triple:
    length = np.sqrt(x * x + y * y + z * z) + 1e-9
    return x / length, y / length, z / length


@nb.njit(cache=True, fastmath=True)
def _dot(one: Triple, other: Triple) -> float:
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]


@nb.njit(cache=True, fastmath=True)
def _texel(texture: np.ndarray, u: float, v: float) -> Triple:
    """Sample a texture bilinearly; v runs up."""
    height, width = texture.shape[0], texture.shape[1]
    x, y = u * width - 0.5, (1 - v) * height - 0.5
    i, j = max(0, min(height - 2, int(y))), max(0, min(width - 2, int(x)))
    right, down = x - j, y - i
    w00, w01, w10, w11 = (1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down
    return (
        w00 * texture[i, j, 0]
        + w01 * texture[i, j + 1, 0]
        + w10 * texture[i + 1, j, 0]
        + w11 * texture[i + 1, j + 1, 0],
        w00 * texture[i, j, 1]
        + w01 * texture[i, j + 1, 1]
        + w10 * texture[i + 1, j, 1]
        + w11 * texture[i + 1, j + 1, 1],
        w00 * texture[i, j, 2]
        + w01 * texture[i, j + 1, 2]
        + w10 * texture[i + 1, j, 2]
        + w11 * texture[i + 1, j + 1, 2],
    )


@nb.njit(cache=True, fastmath=True)
def _pattern(kind: int, x: float, z: float, hem: float) -> float:
    """Return the share of the second colour at a rest position on the garment; `hem` grows from 0.3 at its edge."""
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
def _cloth(palette: np.ndarray, pattern: int, hem: float, rest: Triple, normal: Triple) -> tuple[Triple, Triple]:
    """Return colour and normal of woven cloth with folds, darker at the hem."""
    x, y, z = rest
    fold = value_noise(x * 13, y * 13, z * 8) - 0.5
    crease = value_noise(x * 38 + 7, y * 38, z * 20) - 0.5
    share = _pattern(pattern, x, z, hem)
    weave = (0.9 + 0.2 * value_noise(x * 400, y * 400, z * 400)) * (0.75 if hem < 0.55 else 1.0)
    colour = (
        (palette[0, 0] * (1 - share) + palette[1, 0] * share) * weave,
        (palette[0, 1] * (1 - share) + palette[1, 1] * share) * weave,
        (palette[0, 2] * (1 - share) + palette[1, 2] * share) * weave,
    )
    bent = (normal[0] + fold * 0.45 + crease * 0.18, normal[1], normal[2] + crease * 0.22 + fold * 0.15)
    return colour, bent


@nb.njit(cache=True, fastmath=True)
def _hair(palette: np.ndarray, rest: Triple, normal: Triple) -> tuple[Triple, Triple]:
    """Return colour and normal of hair strands in locks."""
    x, y, z = rest
    fine = value_noise(x * 420, y * 420, z * 32)
    lock = value_noise(x * 95 + 3, y * 95, z * 14)
    tone = 0.5 + 0.45 * fine + 0.5 * lock
    colour = (palette[2, 0] * tone, palette[2, 1] * tone, palette[2, 2] * tone)
    bent = (normal[0] + (lock - 0.5) * 0.55 + (fine - 0.5) * 0.3, normal[1], normal[2] + (lock - 0.5) * 0.3)
    return colour, bent


@nb.njit(cache=True, fastmath=True)
def _surface(material: int) -> Triple:
    """Return strength and hardness of the highlight, and how far light wraps around."""
    if material == SKIN:
        return 0.085, 13.0, 0.3
    if material == WET:
        return 0.55, 90.0, 0.3
    if material == CLOTH:
        return 0.015, 8.0, 0.0
    if material == HAIR:
        return 0.075, 16.0, 0.0
    return 0.06, 30.0, 0.0


@nb.njit(cache=True, fastmath=True)
def _lit(colour: Triple, normal: Triple, view: Triple, surface: Triple, lit: float, lights: np.ndarray) -> Triple:
    """Return the light that leaves towards the camera; a share `lit` of the key light arrives."""
    gloss, hardness, wrap = surface
    key_light, fill_light = (lights[0, 0], lights[0, 1], lights[0, 2]), (lights[1, 0], lights[1, 1], lights[1, 2])
    key = _dot(normal, key_light)
    direct, around = max(0.0, key) * lit, max(0.0, (_dot(normal, fill_light) + 0.35) / 1.35)
    # subsurface scattering: light leaves skin redder, and past the shadow's edge
    bled = direct + wrap * max(0.0, (key + 0.4) / 1.4) * (0.25 + 0.75 * lit) * 0.5
    half = _unit(key_light[0] + view[0], key_light[1] + view[1], key_light[2] + view[2])
    shine = gloss * lit * max(0.0, _dot(normal, half)) ** hardness + 0.025 * (1 - max(0.0, _dot(normal, view))) ** 3
    sky = _AMBIENT * (0.8 + 0.2 * normal[2])
    return (
        colour[0] * (_KEY[0] * bled + _FILL[0] * around + sky) + shine,
        colour[1] * (_KEY[1] * (0.75 * direct + 0.25 * bled) + _FILL[1] * around + sky) + shine,
        colour[2] * (_KEY[2] * (0.8 * direct + 0.2 * bled) + _FILL[2] * around + sky) + shine,
    )


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
            place = _blend(vertices, a, b, c, w0, w1, w2)
            normal = _blend(normals, a, b, c, w0, w1, w2)
            origin = _blend(rest, a, b, c, w0, w1, w2)
            material = materials[t]
            colour = (palette[3, 0], palette[3, 1], palette[3, 2])
            if material in (SKIN, WET):
                i, j, k = corners[t, 0], corners[t, 1], corners[t, 2]
                u = w0 * coordinates[i, 0] + w1 * coordinates[j, 0] + w2 * coordinates[k, 0]
                v = w0 * coordinates[i, 1] + w1 * coordinates[j, 1] + w2 * coordinates[k, 1]
                colour = _texel(texture, u, v)
            elif material == CLOTH:
                hem = w0 * opacity[a] + w1 * opacity[b] + w2 * opacity[c]
                colour, normal = _cloth(palette, pattern, hem, origin, normal)
            elif material == HAIR:
                colour, normal = _hair(palette, origin, normal)
            normal = _unit(normal[0], normal[1], normal[2])
            view = _unit(camera[0] - place[0], camera[1] - place[1], camera[2] - place[2])
            if _dot(normal, view) < 0 and material != SKIN and material != WET:
                normal = (-normal[0], -normal[1], -normal[2])
            s = _blend(shadow_points, a, b, c, w0, w1, w2)
            lit = light_reaching(shadow, s[0], s[1], s[2], 2.8)
            image[y, x, 0], image[y, x, 1], image[y, x, 2] = _lit(colour, normal, view, _surface(material), lit, lights)
    return image
