"""Paint the texture of one person (skin, lips, brows, beard, teeth, eyes) at the surface's rest positions.

P texels. `q` are positions relative to the point between the eyes, in units of `scale` (a face with eyes 62 mm apart
has scale 1), so that one description fits all faces.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cospeech.corpus.cast import Person
from cospeech.corpus.mesh import BaseMesh, read_mask, smoothstep
from cospeech.corpus.raster import SKIN, noise_at, rasterize

_SIZE = 1024
_PAINTED = (
    "body",
    "helper-tongue",
    "helper-upper-teeth",
    "helper-lower-teeth",
    "helper-l-eye",
    "helper-r-eye",
)
_TEETH, _EYEBALLS = (2, 3), (4, 5)
_REDDENED = np.array([1.0, 0.72, 0.70])


@dataclass(frozen=True)
class Face:
    """The face at rest: centres of the eyes (3,), the point between them, and the scale."""

    left_eye: np.ndarray
    right_eye: np.ndarray

    @property
    def centre(self) -> np.ndarray:
        return (self.left_eye + self.right_eye) / 2

    @property
    def scale(self) -> float:
        return float(self.left_eye[0] - self.right_eye[0]) / 0.062


@dataclass(frozen=True)
class _Texels:
    """The covered texels. on: (size, size) bool. Others (P, ...): part, q, normal, distance to the nearer eye."""

    on: np.ndarray
    part: np.ndarray
    q: np.ndarray
    normal: np.ndarray
    position: np.ndarray
    scalp: np.ndarray

    @property
    def aside(self) -> np.ndarray:
        return np.abs(self.q[:, 0])

    @property
    def front(self) -> np.ndarray:
        return smoothstep(0.06, 0.02, self.q[:, 1])

    def blob(self, x: float, z: float, width: float, height: float) -> np.ndarray:
        """Return a Gaussian on both sides of the face's front."""
        return np.exp(-(((self.aside - x) / width) ** 2) - ((self.q[:, 2] - z) / height) ** 2) * self.front


def paint(
    person: Person, mesh: BaseMesh, data: Path, rest: np.ndarray, normals: np.ndarray, scalp: np.ndarray, face: Face
) -> np.ndarray:
    """Paint a texture, (1024, 1024, 3) linear RGB.

    Args:
        rest, normals: (V, 3); scalp: (V,) 0..1 where hair grows.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    texels = _unwrap(mesh, rest, normals, scalp, face)
    seed = float(person.seed)
    broad, fine = noise_at(texels.position, 30, 3, seed), noise_at(texels.position, 220, 2, seed + 1)
    masks = {
        name: gaussian_filter(read_mask(data, name, _SIZE), blur)[texels.on]
        for name, blur in (("lips", 0.8), ("inside-mouth", 0.5), ("fingernails", 0.5), ("eyelids", 0.5), ("ears", 0.5))
    }
    colour = np.array(person.skin) * (0.95 + 0.10 * broad + 0.08 * (fine - 0.5))[:, None]
    colour = _flush(colour, texels, masks)
    colour = _age_lines(colour, texels, person.body.age)
    colour = _lips_and_nails(colour, person, masks, fine)
    colour = _facial_hair(colour, texels, person, fine, masks["lips"])
    hair = np.array(person.hair.colour)
    colour = _mix(colour, hair * 0.8, texels.scalp * (texels.part == 0) * _scalp_cover(person))
    colour = _eyelids(colour, texels, face, hair)
    colour = _teeth_and_eyes(colour, texels, person, face, fine)
    texture = np.zeros((_SIZE, _SIZE, 3))
    texture[texels.on] = np.clip(colour, 0, 1)
    rows, columns = distance_transform_edt(~texels.on, return_distances=False, return_indices=True)
    return np.ascontiguousarray(texture[rows, columns])


def _unwrap(mesh: BaseMesh, rest: np.ndarray, normals: np.ndarray, scalp: np.ndarray, face: Face) -> _Texels:
    triangles = np.concatenate([mesh.parts[name].triangles for name in _PAINTED])
    corners = np.concatenate([mesh.parts[name].corners for name in _PAINTED])
    part = np.concatenate([np.full(len(mesh.parts[name].triangles), i) for i, name in enumerate(_PAINTED)])
    flat = np.stack([mesh.coordinates[:, 0] * _SIZE, (1 - mesh.coordinates[:, 1]) * _SIZE], 1)
    points = np.concatenate([flat, np.ones((len(flat), 1))], 1)
    materials = np.full(len(corners), SKIN, np.int32)
    _, index, weights = rasterize(points, corners, materials, np.zeros(len(points)), points, _SIZE)
    on = index >= 0
    seen = index[on]
    three = np.concatenate([weights[on], 1 - weights[on].sum(1, keepdims=True)], 1)

    def spread(values: np.ndarray) -> np.ndarray:
        return np.einsum("pk,pk...->p...", three, values[triangles[seen]])

    position = spread(rest)
    return _Texels(on, part[seen], (position - face.centre) / face.scale, spread(normals), position, spread(scalp))


def _mix(colour: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    return colour + (other - colour) * np.clip(share, 0, 1)[:, None]


def _flush(colour: np.ndarray, texels: _Texels, masks: dict[str, np.ndarray]) -> np.ndarray:
    """Redden cheeks, nose and ears; darken eye sockets and nostrils."""
    red = 0.5 * texels.blob(0.040, -0.040, 0.018, 0.020) + 0.4 * texels.blob(0, -0.045, 0.014, 0.014)
    colour = colour * (1 - (red + 0.45 * masks["ears"])[:, None] * (1 - _REDDENED))
    colour = colour * (1 - masks["eyelids"][:, None] * np.array([0.16, 0.24, 0.24]))
    colour = colour * (1 - texels.blob(0.031, 0.0, 0.022, 0.013)[:, None] * np.array([0.12, 0.18, 0.18]))
    nostril = texels.blob(0.0075, -0.052, 0.004, 0.004) * (texels.normal[:, 2] < -0.3)
    return colour * (1 - 0.75 * nostril[:, None])


def _age_lines(colour: np.ndarray, texels: _Texels, age: float) -> np.ndarray:
    """Add folds from the nose to the mouth's corners and across the forehead, from about 45 years on."""
    strength = float(np.clip((age - 0.6) / 0.3, 0, 1))
    x, z = texels.aside, texels.q[:, 2]
    fold = np.exp(-(((x - (0.016 - 0.42 * (z + 0.045))) / 0.003) ** 2)) * (z > -0.075) * (z < -0.042)
    brow = np.exp(-(np.sin(z * 420) ** 2) * 6) * (z > 0.042) * (z < 0.062) * (x < 0.032) * 0.6
    return colour * (1 - 0.22 * strength * ((fold + brow) * texels.front)[:, None])


def _lips_and_nails(colour: np.ndarray, person: Person, masks: dict[str, np.ndarray], fine: np.ndarray) -> np.ndarray:
    skin = np.array(person.skin)
    tint = np.array([0.80, 0.44, 0.46]) if person.body.sex > 0.5 else np.array([0.80, 0.55, 0.55])
    colour = _mix(colour, (skin * tint) * (0.9 + 0.2 * fine)[:, None], masks["lips"])
    colour = _mix(colour, np.array([0.085, 0.018, 0.018]), masks["inside-mouth"])
    return _mix(colour, np.minimum(skin * 1.2 + 0.08, 1), 0.6 * masks["fingernails"])


def _facial_hair(colour: np.ndarray, texels: _Texels, person: Person, fine: np.ndarray, lips: np.ndarray) -> np.ndarray:
    hair = np.array(person.hair.colour)
    along = (texels.aside - 0.013) / 0.042
    arch = 0.019 + 0.006 * np.sin(np.clip(along, 0, 1) * np.pi * 0.8)
    thickness = (0.0052 if person.body.sex < 0.5 else 0.0040) * (1 - 0.55 * np.clip(along, 0, 1))
    brow = smoothstep(1.25, 0.6, np.abs(texels.q[:, 2] - arch) / thickness)
    brow = brow * smoothstep(-0.06, 0.05, along) * smoothstep(1.05, 0.9, along) * texels.front * (0.65 + 0.35 * fine)
    colour = _mix(colour, np.minimum(hair, 0.3) * 0.7, brow)
    if person.hair.beard == 0:
        return colour
    x, z = texels.aside, texels.q[:, 2]
    cheek = -0.055 - 0.022 * smoothstep(0.062, 0.035, x) + 0.05 * smoothstep(0.052, 0.068, x)
    jaw = smoothstep(0.004, -0.006, z - cheek) * smoothstep(-0.150, -0.128, z) * smoothstep(0.085, 0.06, texels.q[:, 1])
    moustache = texels.blob(0.010, -0.0645, 0.017, 0.0055)
    mouth = np.hypot(x / 0.030, (z + 0.0765) / 0.0145)
    below = smoothstep(-0.058, -0.068, z) * smoothstep(0.85, 1.25, mouth)
    cover = np.maximum(jaw * below, 1.2 * moustache) * (texels.part == 0) * (1 - np.clip(2 * lips, 0, 1))
    return _mix(colour, hair * (0.7 + 0.6 * fine)[:, None], cover * person.hair.beard * (0.65 + 0.35 * fine))


def _scalp_cover(person: Person) -> float:
    return {"bald": 0.0, "buzz": 0.93}.get(person.hair.style, 0.95)


def _eyelids(colour: np.ndarray, texels: _Texels, face: Face, hair: np.ndarray) -> np.ndarray:
    """Darken the edge where the upper lid meets the eyeball (the root of the lashes), and less the lower one."""
    for eye in (face.left_eye, face.right_eye):
        offset = texels.position - eye
        radius = np.linalg.norm(offset, axis=1) / face.scale
        edge = smoothstep(0.0158, 0.0138, radius) * (texels.part == 0) * (offset[:, 1] < 0)
        upper = smoothstep(-0.001, 0.003, offset[:, 2] / face.scale)
        colour = _mix(colour, np.minimum(hair, 0.05) * 0.5, edge * (0.2 + 0.75 * upper))
    return colour


def _teeth_and_eyes(colour: np.ndarray, texels: _Texels, person: Person, face: Face, fine: np.ndarray) -> np.ndarray:
    colour = colour.copy()
    colour[texels.part == 1] = (0.52, 0.19, 0.19)
    for part in _TEETH:
        colour[texels.part == part] = (0.80, 0.77, 0.69)
    for part, centre in zip(_EYEBALLS, (face.left_eye, face.right_eye), strict=True):
        own = texels.part == part
        offset = texels.position[own] - centre
        angle = np.arccos(np.clip(-offset[:, 1] / np.linalg.norm(offset, axis=1), -1, 1))
        eye = np.array([0.64, 0.615, 0.60]) * (1 - 0.3 * smoothstep(0.5, 1.3, angle))[:, None]
        eye = _mix(eye, np.array(person.iris) * (0.7 + 0.6 * fine[own])[:, None], smoothstep(0.56, 0.50, angle))
        limbus = smoothstep(0.42, 0.50, angle) * smoothstep(0.60, 0.54, angle)
        eye = eye * (1 - 0.6 * limbus[:, None])
        colour[own] = _mix(eye, np.full(3, 0.008), smoothstep(0.26, 0.21, angle))
    return colour
