"""Render one person in front of one backdrop, from posed vertices to a frame.

Vertices are those of the body mesh, then the same again lifted off as a shell of hair, then the pieces (glasses,
hanging hair).
"""

from pathlib import Path

import numpy as np

from cospeech.corpus.backdrop import paint_backdrop
from cospeech.corpus.body import LEFT_EYE, RIGHT_EYE, SKIN_VERTICES, Actor, rigid_fit, rotation, unit
from cospeech.corpus.cast import Pattern, Person
from cospeech.corpus.hair import Piece, pieces, scalp, thickness
from cospeech.corpus.mesh import BaseMesh, Part, mask_on_vertices, read_mask
from cospeech.corpus.raster import (
    CHECK,
    CLOTH,
    DOTS,
    HAIR,
    PLACKET,
    PLAINLY,
    SKIN,
    STRIPES,
    WET,
    depth_map,
    rasterize,
    vertex_normals,
)
from cospeech.corpus.shading import shade
from cospeech.corpus.skin import Face, paint
from cospeech.corpus.wardrobe import coverage

_PATTERNS: dict[Pattern, int] = {
    "plain": PLAINLY,
    "stripes": STRIPES,
    "placket": PLACKET,
    "check": CHECK,
    "dots": DOTS,
}
_WET_PARTS = ("helper-upper-teeth", "helper-lower-teeth", "helper-l-eye", "helper-r-eye")
_DISTANCE, _WIDTH, _TOP = 2.4, 0.80, 0.335
"""For a face of scale 1, metres: camera to neck, width of the picture there, top of the head above the centre."""
_SHADOW_SIZE, _SHADOW_WIDTH = 384, 0.62
_GRAIN = 0.005


class Scene:
    """The parts of a person's rendering that are constant over frames.

    Args:
        size: side of the frames, pixels; each pixel is the mean of supersampling x supersampling samples.
    """

    def __init__(
        self, person: Person, actor: Actor, mesh: BaseMesh, data: Path, size: int = 256, supersampling: int = 2
    ) -> None:
        rest = actor.rest
        self._size, self._supersampling = size, supersampling
        self.face = Face(rest[LEFT_EYE].mean(0), rest[RIGHT_EYE].mean(0))
        scale, body = self.face.scale, mesh.parts["body"]
        q = (rest - self.face.centre) / scale
        self._all_triangles = np.ascontiguousarray(np.concatenate([part.triangles for part in mesh.parts.values()]))
        normals = vertex_normals(rest, self._all_triangles)
        ears = mask_on_vertices(read_mask(data, "ears", 1024), body, mesh.coordinates, len(rest))
        hairy = scalp(q, person, ears)
        hairy[SKIN_VERTICES.stop :] = 0
        hairy[np.linalg.norm(q - [0, 0.085, 0], axis=1) > 0.25] = 0
        self._lift = thickness(q, rest, person) * scale * (hairy > 0)
        covered = coverage(actor, person.clothes, scale)
        head = (q[:, 2] > -0.05) & (np.arange(len(rest)) < SKIN_VERTICES.stop)
        hanging = pieces(person, rest[head], self.face.centre, scale)
        self._skull = np.flatnonzero(head & (q[:, 2] > 0.05))[::7]
        chest = np.abs(rest[:, 2] - actor.heads["clavicle.L"][2]) < 0.06
        self._chest = np.flatnonzero(chest & (np.abs(rest[:, 0]) < 0.10) & (np.arange(len(rest)) < SKIN_VERTICES.stop))
        self._assemble(mesh, rest, covered, hairy, hanging, actor.heads["root"][2])
        self._rest_body = rest
        self._coordinates = mesh.coordinates
        self._texture = paint(person, mesh, data, rest, normals, hairy, self.face)
        clothes = person.clothes
        plain = person.glasses or (0.0, 0.0, 0.0)
        self._palette = np.array([clothes.colour, clothes.second, person.hair.colour, plain])
        self._pattern = _PATTERNS[clothes.pattern]
        self._aim_camera(rest, actor)
        self._background = paint_backdrop(person.backdrop, size * supersampling, person.seed)

    def _assemble(
        self,
        mesh: BaseMesh,
        rest: np.ndarray,
        covered: np.ndarray,
        hairy: np.ndarray,
        hanging: list[Piece],
        hips: float,
    ) -> None:
        """Collect triangles, materials and per-vertex constants."""
        body, tights = mesh.parts["body"], mesh.parts["helper-tights"]
        worn = (covered[tights.triangles] > -0.035).all(1) & (rest[tights.triangles][:, :, 2] > hips - 0.25).all(1)
        shown = ~(covered[body.triangles] > 0.03).all(1)
        haired = (hairy[body.triangles] > 0).any(1)
        shell = body.where(haired)
        layers: list[tuple[Part, int]] = [
            (body.where(shown), SKIN),
            (tights.where(worn), CLOTH),
            (mesh.parts["helper-tongue"], WET),
            *((mesh.parts[name], WET) for name in _WET_PARTS),
            (Part(shell.triangles + len(rest), shell.corners), HAIR),
        ]
        opacity = [np.clip(0.3 + covered / 0.02, -2, 3), hairy]
        offset = 2 * len(rest)
        for piece in hanging:
            layers.append((Part(piece.triangles + offset, np.zeros_like(piece.triangles)), piece.material))
            opacity.append(piece.opacity)
            offset += len(piece.vertices)
        self._triangles = np.ascontiguousarray(np.concatenate([part.triangles for part, _ in layers]), np.int32)
        self._corners = np.ascontiguousarray(np.concatenate([part.corners for part, _ in layers]), np.int32)
        counts = [len(part.triangles) for part, _ in layers]
        self._materials = np.repeat(np.array([material for _, material in layers], np.int32), counts)
        self._opacity = np.concatenate(opacity)
        self._hanging = np.concatenate([np.zeros((0, 3)), *(piece.vertices for piece in hanging)])
        self._grip = np.concatenate([np.zeros(0), *(piece.grip for piece in hanging)])[:, None]
        self._rest = np.concatenate([rest, rest, self._hanging])

    def _aim_camera(self, rest: np.ndarray, actor: Actor) -> None:
        scale = self.face.scale
        top = float(rest[SKIN_VERTICES, 2].max())
        self._middle = np.array([0.0, float(actor.heads["neck01"][1]), top - _TOP * scale])
        self._focal = self._size * self._supersampling * _DISTANCE / (_WIDTH * scale)
        self._camera = np.array([0.0, self._middle[1] - _DISTANCE, self._middle[2]])
        self._lights = unit(np.array([[-0.42, -0.85, 0.52], [0.8, -0.6, 0.1]]))

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project world points (N, 3) to (x, y in pixels, distance), (N, 3)."""
        distance = points[:, 1] - self._camera[1]
        middle = self._size / 2
        focal = self._focal / self._supersampling
        x = middle + (points[:, 0] - self._camera[0]) * focal / distance
        y = middle - (points[:, 2] - self._camera[2]) * focal / distance
        return np.stack([x, y, distance], 1)

    def look(self, vertices: np.ndarray, turn: float, tilt: float) -> None:
        """Rotate both eyes in place: `turn` to the person's left and `tilt` up, radians."""
        gaze = rotation((0, 0, 1), turn) @ rotation((1, 0, 0), tilt)
        for eye in (LEFT_EYE, RIGHT_EYE):
            centre = vertices[eye].mean(0)
            vertices[eye] = (vertices[eye] - centre) @ gaze.T + centre

    def render(self, body: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Render posed vertices (V, 3) to (size, size, 3) uint8 sRGB; `rng` gives the sensor noise."""
        vertices, normals = self._pose(body)
        points = self.project(vertices) * [self._supersampling, self._supersampling, 1]
        size = self._size * self._supersampling
        nearness, index, weights = rasterize(points, self._triangles, self._materials, self._opacity, self._rest, size)
        shadow_points = self._from_light(vertices)
        shadow = depth_map(shadow_points, self._triangles, _SHADOW_SIZE)
        image = shade(
            index,
            weights,
            self._triangles,
            self._corners,
            self._materials,
            vertices,
            normals,
            self._rest,
            self._opacity,
            self._coordinates,
            self._texture,
            shadow_points,
            shadow,
            self._lights,
            self._camera,
            self._palette,
            self._pattern,
            self._background,
        )
        return self._develop(image * self._occlusion(nearness)[..., None], rng)

    def _pose(self, body: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return all vertices and their normals: body, hair shell, pieces."""
        body_normals = vertex_normals(body, self._all_triangles)
        shell = body + body_normals * self._lift[:, None]
        head_turn, head_shift = rigid_fit(self._rest_body[self._skull], body[self._skull])
        chest_turn, chest_shift = rigid_fit(self._rest_body[self._chest], body[self._chest])
        with_head = self._hanging @ head_turn.T + head_shift
        with_chest = self._hanging @ chest_turn.T + chest_shift
        hanging = self._grip * with_head + (1 - self._grip) * with_chest
        vertices = np.concatenate([body, shell, hanging])
        normals = vertex_normals(vertices, self._triangles)
        normals[: len(body)] = body_normals
        return vertices, normals

    def _from_light(self, vertices: np.ndarray) -> np.ndarray:
        """Project points to the shadow map, (N, 3): column, row, depth."""
        light = self._lights[0]
        right = unit(np.cross(light, [0.0, 0.0, 1.0]))
        offset = vertices - self._middle
        width = _SHADOW_WIDTH * self.face.scale
        across, up = offset @ right / width, offset @ np.cross(right, light) / width
        return np.stack([(across / 2 + 0.5) * _SHADOW_SIZE, (up / 2 + 0.5) * _SHADOW_SIZE, -(offset @ light)], 1)

    def _occlusion(self, nearness: np.ndarray) -> np.ndarray:
        """Return screen-space ambient occlusion (H, W) in 0..1: darker where the neighbourhood lies in front."""
        import cv2

        seen = nearness > 0
        depth = np.where(seen, 1 / np.maximum(nearness, 1e-6), _DISTANCE + 0.35).astype(np.float32)
        reach = (9 * self._supersampling,) * 2
        behind = depth - cv2.blur(cv2.blur(depth, reach), reach)
        on_body = 1 - 0.42 * np.clip(behind / 0.05, 0, 1)
        return np.where(seen, on_body, 1 - 0.12 * np.clip(behind / 0.3, 0, 1))

    def _develop(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Average the supersamples, compress highlights, apply an sRGB-like gamma, add grain."""
        import cv2

        small = cv2.resize(image.astype(np.float32), (self._size, self._size), interpolation=cv2.INTER_AREA)
        small = np.maximum(small, 0)
        encoded = np.clip(small / (1 + np.float32(0.12) * small), 0, 1) ** np.float32(1 / 2.2)
        noisy = encoded + np.float32(_GRAIN) * rng.standard_normal(encoded.shape, dtype=np.float32)
        return (np.clip(noisy, 0, 1) * 255 + 0.5).astype(np.uint8)
