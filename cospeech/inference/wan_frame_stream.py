"""A person drawn by Wan's student, latent frame by latent frame, in memory that does not grow.

Axes: C latent channels, T latent frames, F video frames, h w latent cells.
"""

from dataclasses import replace
from types import TracebackType

import numpy as np
import torch

from ..models.autoencoders.wan_vae import join_control
from ..models.transformers.wan import WanCondition
from ..pose.track import PoseTrack, join_tracks
from ..sampling.euler import first_noise
from ..utils.images import to_images, to_tensor
from ..utils.precision import autocast
from .bundle import WanModels
from .conditioning import Person, skeleton_tensor
from .profiler import Watch
from .wan_samplers import Drawer, InStream, InWindows, Seen


class WanScene:
    """A person's picture as Wan sees it; does not change."""

    def __init__(self, models: WanModels, person: Person, watch: Watch | None = None) -> None:
        self.watch = watch or Watch(keeps=False)
        resized = person.resized(models.settings.size)
        self.models = models
        self.person = replace(resized, confidence=resized.pose.without(models.settings.unseen).confidence[0])
        self.reference_Chw = models.codec.part_encoder().push(to_tensor(self.person.picture[None]).to(models.device))

    def condition(self, pose_CThw: torch.Tensor) -> WanCondition:
        """Of encoded skeletons. The student reads the reference and these of what controls VACE."""
        pose, still = pose_CThw[None], self.reference_Chw[None]
        control = join_control(still, torch.zeros_like(pose), pose, cells=0)
        return WanCondition(control, self.models.text_1LE, torch.zeros_like(still))


class WanAnimation:
    """As `animation.Animation`, in one thread; the first latent frame holds one video frame, every other `stride`.

    As the export says: as a stream, which gives each frame as soon as its chunk is full, or in overlapping windows,
    which give it some windows after its pose.
    """

    def __init__(self, scene: WanScene, seed: int, chunk: int | None = None, first: int | None = None) -> None:
        """chunk, first: latent frames drawn at once, and at first, by a stream; None: as the export says.

        Raises:
            ValueError: the export draws in windows, which have a size of their own; or a chunk has no frames.
        """
        models = scene.models
        stream = models.settings.stream
        self._scene, self._noise = scene, torch.Generator().manual_seed(seed)
        if stream is None and (chunk is not None or first is not None):
            raise ValueError("this export draws in windows, not in chunks of a size that can be chosen")
        way = InWindows if stream is None else InStream
        height, width = scene.reference_Chw.shape[1:]
        self._drawer: Drawer = way(models, scene.condition, (height, width))
        self._size = 1 if stream is None else stream.chunk if chunk is None else chunk
        latents = self._size if first is None else first
        if self._size < 1 or latents < 1:
            raise ValueError(f"chunks of {latents} and {self._size} latent frames: each must have 1 or more")
        self._now = 1 + (latents - 1) * models.codec.stride
        self._begun, self._waiting = False, scene.person.pose[:0]
        self._encoder, self._decoder = models.codec.part_encoder(), models.codec.part_decoder()
        self._drawn: list[np.ndarray] = []

    @property
    def next_chunk(self) -> int:
        """How many frames are drawn next."""
        return self._now

    def push(self, track: PoseTrack) -> None:
        """Takes the poses of the next F frames, in the model's picture, and draws what can be drawn by now."""
        self._waiting = join_tracks([self._waiting, track.without(self._scene.models.settings.unseen)])
        while len(self._waiting) >= self._now:
            self._put(self._now)
            self._now = self._size * self._scene.models.codec.stride

    def take(self) -> np.ndarray:
        """The frames that were drawn since, in order: (N, size, size, 3) uint8 RGB."""
        size = self._scene.models.settings.size
        drawn, self._drawn = self._drawn, []
        return np.concatenate(drawn) if drawn else np.zeros((0, size, size, 3), np.uint8)

    def finish(self) -> np.ndarray:
        """All frames that are left. Those that do not fill a latent frame are drawn as if the last stood still."""
        left, missing = len(self._waiting), 0
        if left:
            missing = (int(not self._begun) - left) % self._scene.models.codec.stride
            self._waiting = join_tracks([self._waiting, self._waiting[[-1] * missing]])
            self._put(left + missing)
        if self._begun:
            with self._scene.watch.part("denoise", 0), self._autocast():
                latents = self._drawer.finish()
            self._decode(latents)
        frames = self.take()
        return frames[: len(frames) - missing]

    def close(self) -> None:
        """Nothing is under way between calls."""

    def __enter__(self) -> "WanAnimation":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def memory_bytes(self) -> int:
        """Of what is kept of past frames, and of those that are not drawn yet."""
        return self._drawer.memory_bytes()

    def _put(self, frames: int) -> None:
        """The next `frames` poses, which fill latent frames, drawn together by a stream."""
        stride, seen = self._scene.models.codec.stride, list[Seen]()
        while frames:
            count = stride if self._begun else 1
            seen.append(self._see(self._waiting[:count]))
            self._begun, self._waiting, frames = True, self._waiting[count:], frames - count
        pose_CThw = torch.stack([each.pose_Chw for each in seen], 1)
        temperature = self._scene.models.settings.temperature
        noise = [first_noise((1, *each.pose_Chw.shape), temperature, self._noise) for each in seen]
        with self._scene.watch.part("denoise", sum(len(each.track) for each in seen)), self._autocast():
            latents = self._drawer.push(seen, torch.stack(noise, 2).to(pose_CThw.device))
        self._decode(latents)

    def _see(self, track: PoseTrack) -> Seen:
        """One latent frame."""
        with self._scene.watch.part("skeleton", len(track)):
            pose_Chw = self._encoder.push(skeleton_tensor(track).to(self._scene.models.device) * 2 - 1)
        return Seen(track, pose_Chw)

    def _decode(self, latents_1CThw: torch.Tensor) -> None:
        for latent_Chw in latents_1CThw[0].unbind(1):
            with self._scene.watch.part("decode", self._scene.models.codec.stride), self._autocast():
                self._drawn.append(to_images(self._decoder.push(latent_Chw)))

    def _autocast(self):  # type: ignore[no-untyped-def]
        return autocast(self._scene.models.device, self._scene.models.settings.precision)
