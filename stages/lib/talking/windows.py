"""A person drawn by Wan's student: in overlapping windows over latent frames, in memory that does not grow.

Axes: C latent channels, T latent frames, F video frames, h w latent cells.
"""

from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np
import torch

from ..attention.plan import AttentionPlan, Mask
from ..attention.temporal import latent_groups
from ..nets.precision import autocast
from ..nets.wan import WanCondition
from ..nets.wan_codec import join_control
from ..pixels import to_pictures, to_tensor
from ..windows import WindowStream
from .models import WanModels
from .scene import Person, draw_skeletons, shown
from .watch import Watch


class WanScene:
    """A person's picture as Wan sees it; does not change."""

    def __init__(self, models: WanModels, person: Person, watch: Watch | None = None) -> None:
        self.watch = watch or Watch(keeps=False)
        resized = person.resized(models.settings.size)
        self.models = models
        self.person = replace(resized, confidence=shown(resized.confidence, models.settings))
        self.reference_Chw = models.codec.part_encoder().push(to_tensor(self.person.picture[None]).to(models.device))

    def condition(self, pose_CThw: torch.Tensor) -> WanCondition:
        """Of the encoded skeletons of a window. The student reads the reference and these of what controls VACE."""
        pose, still = pose_CThw[None], self.reference_Chw[None]
        control = join_control(still, torch.zeros_like(pose), pose, cells=0)
        return WanCondition(control, self.models.text_1LE, torch.zeros_like(still))


@dataclass(frozen=True)
class _Seen:
    """A latent frame: its video frames' keypoints (F, 133, 2) in pixels, their confidence, the encoded skeletons."""

    keypoints: np.ndarray
    confidence: np.ndarray
    pose_Chw: torch.Tensor


class WindowAnimation:
    """As `animation.Animation`, but frames come out some windows after their poses went in (`windows.WindowStream`)."""

    def __init__(self, scene: WanScene, seed: int) -> None:
        models, settings = scene.models, scene.models.settings
        self._scene, self._noise = scene, torch.Generator().manual_seed(seed)
        self._mask = Mask(tuple(settings.mask), settings.past_frames)
        self._stride, self._now = models.codec.stride, 1
        self._keypoints, self._confidence = np.zeros((0, 133, 2), np.float32), np.zeros((0, 133), np.float32)
        self._begun, self._seen = 0, list[_Seen]()
        window = len(latent_groups(settings.window, self._stride))
        how = settings.steps, settings.shift, window, settings.overlap // self._stride
        self._stream = WindowStream(models.student, *how, self._look)
        self._encoder, self._decoder = models.codec.part_encoder(), models.codec.part_decoder()
        self._drawn: list[np.ndarray] = []

    @property
    def next_chunk(self) -> int:
        """How many frames the next latent frame has."""
        return self._now

    def push(self, keypoints: np.ndarray, confidence: np.ndarray) -> None:
        """Takes the poses of the next frames and draws what can be drawn by now.

        keypoints: (F, 133, 2), pixels of the model's picture. confidence: (F, 133).
        """
        self._keypoints = np.concatenate([self._keypoints, keypoints])
        self._confidence = np.concatenate([self._confidence, shown(confidence, self._scene.models.settings)])
        while len(self._keypoints) >= self._now:
            self._put(self._keypoints[: self._now], self._confidence[: self._now])
            self._keypoints, self._confidence = self._keypoints[self._now :], self._confidence[self._now :]
            self._now = self._stride

    def take(self) -> np.ndarray:
        """The frames that were drawn since, in order: (N, size, size, 3) uint8 RGB."""
        size = self._scene.models.settings.size
        drawn, self._drawn = self._drawn, []
        return np.concatenate(drawn) if drawn else np.zeros((0, size, size, 3), np.uint8)

    def finish(self) -> np.ndarray:
        """All frames that are left. Those that do not fill a latent frame are drawn as if the last stood still."""
        missing = (self._now - len(self._keypoints)) % self._now
        if missing:
            still = self._keypoints[-1:].repeat(missing, 0), self._confidence[-1:].repeat(missing, 0)
            self.push(*still)
        if self._begun or self._seen:
            with self._scene.watch.part("denoise", 0), self._autocast():
                latents = self._stream.finish()
            self._decode(latents)
        frames = self.take()
        return frames[: len(frames) - missing]

    def close(self) -> None:
        """Nothing is under way between calls."""

    def __enter__(self) -> "WindowAnimation":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def memory_bytes(self) -> int:
        """Of what is kept of frames that are not drawn yet."""
        poses = sum(each.pose_Chw.nbytes for each in self._seen)
        return poses + self._stream.memory_bytes()

    def _put(self, keypoints: np.ndarray, confidence: np.ndarray) -> None:
        """One latent frame."""
        models, frames = self._scene.models, len(keypoints)
        with self._scene.watch.part("skeleton", frames):
            skeletons = torch.from_numpy(draw_skeletons(keypoints, confidence, models.settings.size))
            pose = self._encoder.push(skeletons.to(models.device) * 2 - 1)
        self._seen.append(_Seen(keypoints, confidence, pose))
        noise = torch.randn((1, *pose.shape), generator=self._noise).to(models.device)
        with self._scene.watch.part("denoise", frames), self._autocast():
            latents = self._stream.push(noise[:, :, None])
        self._decode(latents)

    def _look(self, start: int, stop: int) -> tuple[WanCondition, AttentionPlan | None]:
        """No earlier latent frame will be asked for: it is forgotten."""
        models = self._scene.models
        self._seen, self._begun = self._seen[start - self._begun :], start
        seen = self._seen[: stop - start]
        condition = self._scene.condition(torch.stack([each.pose_Chw for each in seen], 1))
        keypoints = np.concatenate([each.keypoints for each in seen]) / models.settings.size
        confidence = np.concatenate([each.confidence for each in seen])
        height, width = (side // models.student.patch for side in seen[0].pose_Chw.shape[1:])
        plan = self._mask.plan(keypoints, confidence, (height, width), self._stride, len(seen[0].keypoints))
        return condition, None if plan is None else plan.to(models.device)

    def _decode(self, latents_1CThw: torch.Tensor) -> None:
        for latent_Chw in latents_1CThw[0].unbind(1):
            with self._scene.watch.part("decode", self._stride), self._autocast():
                self._drawn.append(to_pictures(self._decoder.push(latent_Chw)))

    def _autocast(self):  # type: ignore[no-untyped-def]
        return autocast(self._scene.models.device, self._scene.models.settings.precision)
