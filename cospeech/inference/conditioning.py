"""A person in front of the model: what a video of them is drawn from, and how poses, latents and pictures come about.

Axes: C latent channels, P pose channels, T frames, h w latent cells.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from ..models.transformers.denoiser import Condition
from ..models.warping.warp import Warper
from ..pose.drawing import draw_skeletons
from ..pose.track import PoseTrack
from ..utils.images import to_images, to_tensor
from ..utils.precision import autocast
from .bundle import Models
from .profiler import Watch


@dataclass(frozen=True)
class Person:
    """Who talks. picture: (S, S, 3) uint8 RGB, square, head and shoulders to hips. keypoints: (133, 2), COCO-WholeBody,
    pixels of the picture. confidence: (133,), 0 to 1."""

    picture: np.ndarray
    keypoints: np.ndarray
    confidence: np.ndarray

    def __post_init__(self) -> None:
        shape, kind = self.picture.shape, self.picture.dtype
        if len(shape) != 3 or shape[0] != shape[1] or shape[2] != 3 or kind != np.uint8:
            raise ValueError(f"the reference must be a square RGB picture of uint8, got {shape} of {kind}")
        if self.keypoints.shape != (133, 2) or self.confidence.shape != (133,):
            raise ValueError(
                f"a person has keypoints (133, 2) and confidence (133,), got {self.keypoints.shape} and "
                f"{self.confidence.shape}"
            )

    @property
    def pose(self) -> PoseTrack:
        """One frame, in the picture."""
        return self.moving(self.keypoints[None])

    def moving(self, keypoints: np.ndarray) -> PoseTrack:
        """Frames (T, 133, 2) of them, in pixels of the picture; what is seen in it is seen in all."""
        confidence = np.repeat(self.confidence[None], len(keypoints), 0)
        return PoseTrack(keypoints, confidence, self.picture.shape[:2])

    def resized(self, size: int) -> "Person":
        """The same in a picture of `size` pixels a side."""
        if len(self.picture) == size:
            return self
        scale = size / len(self.picture)
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        picture = cv2.resize(self.picture, (size, size), interpolation=way)
        return Person(picture, self.keypoints * scale, self.confidence)


class Scene:
    """A person's picture as the networks see it; does not change."""

    @torch.no_grad()
    def __init__(self, models: Models, person: Person, watch: Watch | None = None) -> None:
        self.watch = watch or Watch(keeps=False)
        size = models.settings.size
        self.models, resized = models, person.resized(size)
        self.person = replace(resized, confidence=resized.pose.without(models.settings.unseen).confidence[0])
        picture = to_tensor(self.person.picture[None]).to(models.device)
        self._reference_1Chw = models.codec.encode(picture)
        self._pose_1Phw = self._encode_poses(self.person.pose)
        self._warper: Warper | None = None
        if models.student.config["reference_warp"]:
            with autocast(models.device, models.settings.precision):
                self._warper = Warper(models.codec, models.deformer, self._reference_1Chw[0], self.person.pose)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """C, h, w of a frame."""
        channels, height, width = self._reference_1Chw.shape[1:]
        return channels, height, width

    @torch.no_grad()
    def condition(self, track: PoseTrack) -> Condition:
        """Of T frames in the model's picture: skeletons drawn and encoded, the picture deformed to them."""
        track = track.without(self.models.settings.unseen)
        with self.watch.part("skeleton", len(track)):
            pose = self._encode_poses(track).transpose(0, 1)[None]
        warped = None
        if self._warper is not None:
            with self.watch.part("warp", len(track)), autocast(self.models.device, self.models.settings.precision):
                warped = self._warper.warp(track)[None]
        return Condition(pose, self._reference_1Chw, self._pose_1Phw, warped)

    @torch.no_grad()
    def decode(self, latents_1CThw: torch.Tensor) -> np.ndarray:
        """(T, size, size, 3) uint8 RGB."""
        frames = latents_1CThw.shape[2]
        with self.watch.part("decode", frames), autocast(self.models.device, self.models.settings.precision):
            return to_images(self.models.codec.decode(latents_1CThw[0].transpose(0, 1).float()))

    def _encode_poses(self, track: PoseTrack) -> torch.Tensor:
        """(T, P, h, w)."""
        return self.models.pose_encoder.encode(skeleton_tensor(track).to(self.models.device))


def skeleton_tensor(track: PoseTrack) -> torch.Tensor:
    """(T, 3, size, size) float32 in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(draw_skeletons(track).transpose(0, 3, 1, 2), np.float32) / 255)
