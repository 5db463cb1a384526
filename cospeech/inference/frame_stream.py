"""Keypoints to frames of one person, chunk by chunk.

Axes: C latent channels, T frames of a chunk, h w latent cells.
"""

from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType

import numpy as np
import torch

from ..attention.kv_cache import ChunkPlan
from ..attention.plan import AttentionPlan
from ..models.transformers.denoiser import Condition
from ..pose.track import PoseTrack, join_tracks
from ..sampling.euler import first_noise, sample_windows
from ..sampling.kv_stream import StudentStream
from ..utils.precision import autocast
from .conditioning import Scene
from .thread_pipeline import Pipeline


@dataclass(frozen=True)
class _Chunk:
    """Frames on their way. state_1CThw: noise, in the end latents."""

    state_1CThw: torch.Tensor
    condition: Condition
    plan: ChunkPlan


class Animation:
    """Draws a person moving like keypoints, in memory that does not grow.

    Frames are drawn `chunk` at a time; the first chunk has `first`, so that something is to be seen soon. Noise is
    drawn frame by frame. While one thread does the second half of a chunk's denoising steps and decodes it, another
    prepares the next chunk and does the first half: with one thread of torch each they keep two cores busy.
    """

    def __init__(self, scene: Scene, seed: int, chunk: int | None = None, first: int | None = None) -> None:
        """chunk: frames drawn at once; None: as the export says. first: None: `chunk`.

        Raises:
            ValueError: the export does not draw as a stream, or a chunk has no frames.
        """
        settings = scene.models.settings
        if settings.stream is None:
            raise ValueError(
                f"this export cannot stream: it draws in overlapping windows, since its attention.mask is "
                f"{list(settings.mask)} or attention.stream null; export one with both parts of the mask"
            )
        self._size = settings.stream.chunk if chunk is None else chunk
        self._now = self._size if first is None else first
        if self._size < 1 or self._now < 1:
            raise ValueError(f"chunks of {self._now} and {self._size} frames: each must have 1 or more")
        self._scene, self._noise = scene, torch.Generator().manual_seed(seed)
        _, height, width = scene.latent_shape
        self._stream = StudentStream(scene.models.stream, (height, width), settings.memory())
        self._waiting = scene.person.pose[:0]
        half = settings.steps // 2
        self._pipeline = Pipeline[PoseTrack, np.ndarray](
            [partial(self._begin, steps=range(half)), partial(self._complete, steps=range(half, settings.steps))]
        )

    @property
    def next_chunk(self) -> int:
        """How many frames the next chunk has."""
        return self._now

    def push(self, track: PoseTrack) -> None:
        """Takes the poses of the next T frames, in the model's picture. Waits while two chunks are under way and others
        wait for them."""
        self._waiting = join_tracks([self._waiting, track])
        while len(self._waiting) >= self._now:
            self._pipeline.put(self._waiting[: self._now])
            self._waiting, self._now = self._waiting[self._now :], self._size

    def take(self) -> np.ndarray:
        """The frames that were drawn since, in order: (N, size, size, 3) uint8 RGB; does not wait."""
        return self._joined(self._pipeline.take())

    def finish(self) -> np.ndarray:
        """All frames that are left, once they are drawn."""
        if len(self._waiting):
            self._pipeline.put(self._waiting)
        return self._joined(self._pipeline.finish())

    def close(self) -> None:
        """Drops what is under way; harmless after `finish`."""
        self._pipeline.stop()

    def __enter__(self) -> "Animation":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def memory_bytes(self) -> int:
        """Of all keys and values kept."""
        return self._stream.memory_bytes()

    def _begin(self, track: PoseTrack, steps: range) -> _Chunk:
        condition = self._scene.condition(track)
        with self._scene.watch.part("denoise plan", len(track)):
            plan = self._stream.plan(track)
        noise = frame_noise(self._scene, len(track), self._noise)
        return self._denoise(_Chunk(noise, condition, plan), steps)

    def _complete(self, chunk: _Chunk, steps: range) -> np.ndarray:
        return self._scene.decode(self._denoise(chunk, steps).state_1CThw)

    def _denoise(self, chunk: _Chunk, steps: range) -> _Chunk:
        models, state = self._scene.models, chunk.state_1CThw
        frames = state.shape[2]
        with (
            self._scene.watch.part(f"denoise {steps.start}", frames),
            autocast(models.device, models.settings.precision),
        ):
            for step in steps:
                state = self._stream.step(step, state, chunk.condition, chunk.plan)
        return replace(chunk, state_1CThw=state)

    def _joined(self, parts: list[np.ndarray]) -> np.ndarray:
        size = self._scene.models.settings.size
        return np.concatenate(parts) if parts else np.zeros((0, size, size, 3), np.uint8)


def frame_noise(scene: Scene, frames: int, generator: torch.Generator) -> torch.Tensor:
    """(1, C, T, h, w); frame by frame, so that it does not depend on how frames are chunked."""
    shape = (1, *scene.latent_shape)
    noise = [first_noise(shape, scene.models.settings.temperature, generator) for _ in range(frames)]
    return torch.stack(noise, 2).to(scene.models.device)


@torch.no_grad()
def draw_windows(scene: Scene, track: PoseTrack, seed: int) -> np.ndarray:
    """All frames at once, for exports that do not stream: (T, size, size, 3) uint8 RGB."""
    models, settings = scene.models, scene.models.settings
    condition = scene.condition(track)
    noise = frame_noise(scene, len(track), torch.Generator().manual_seed(seed))
    patch, (_, height, width) = models.student.config.patch, scene.latent_shape
    mask, grid = settings.attention, (height // patch, width // patch)

    def attention(start: int, stop: int) -> AttentionPlan | None:
        plan = mask.plan(track[start:stop], grid)
        return None if plan is None else plan.to(models.device)

    with autocast(models.device, settings.precision):
        latents = sample_windows(models.student, noise, condition, settings, attention)
    return scene.decode(latents)
