"""Draw a stretch of a held-out clip with the teacher or the student, and time it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from stages.lib.attention.plan import AttentionPlan, Mask
from stages.lib.dataset import Window
from stages.lib.distillation import plan_windows
from stages.lib.nets.codec import Codec
from stages.lib.nets.denoiser import Condition, Denoiser
from stages.lib.nets.precision import Precision, autocast
from stages.lib.pixels import to_pictures
from stages.lib.sampling import sample_windows
from stages.lib.streaming import Chunks, sample_stream
from stages.lib.training import step_generator

_DECODED_TOGETHER = 16


@dataclass(frozen=True)
class Sampler:
    """A denoiser and how it is run. mask: of the attention; None: dense. chunks: of a stream; None: in overlapping
    windows (window, overlap: frames)."""

    denoiser: Denoiser
    codec: Codec
    steps: int
    shift: float
    window: int
    overlap: int
    mask: Mask | None
    precision: Precision
    chunks: Chunks | None = None

    @property
    def device(self) -> torch.device:
        return self.codec.sensitivity.device


@dataclass(frozen=True)
class Drawn:
    """frames: (T, H, W, 3) uint8. seconds: pose (the reference deformed to the poses, where the model wants it),
    denoise (on to latents, planning of the attention included), decode (on to frames)."""

    frames: np.ndarray
    seconds: Mapping[str, float]

    @property
    def fps(self) -> float:
        return len(self.frames) / sum(self.seconds.values())


@torch.no_grad()
def draw(sampler: Sampler, stretch: Window, seed: int, index: int) -> Drawn:
    """The frames of `stretch` from noise, its poses and its reference frame.

    seed, index: equal ones draw equal noise, whatever the sampler.
    """
    device, clip = sampler.device, stretch.clip
    channels, height, width = clip.latents_TChw.shape[1:]
    shape = (1, channels, stretch.stop - stretch.start, height, width)
    noise = torch.randn(shape, generator=step_generator(seed, index)).to(device)

    began = now(device)
    with autocast(device, sampler.precision):
        condition = clip.condition(stretch.frames, stretch.reference).to(device)
        conditioned = now(device)
        latents = _sample(sampler, stretch, noise, condition)
        denoised = now(device)
        frames = decode(sampler.codec, latents[0].transpose(0, 1))
    seconds = {"pose": conditioned - began, "denoise": denoised - conditioned, "decode": now(device) - denoised}
    return Drawn(frames, seconds)


def _sample(sampler: Sampler, stretch: Window, noise: torch.Tensor, condition: Condition) -> torch.Tensor:
    denoiser, steps, shift, clip = sampler.denoiser, sampler.steps, sampler.shift, stretch.clip
    if sampler.chunks is not None:
        pose = clip.keypoints[stretch.frames], clip.confidence[stretch.frames]
        return sample_stream(denoiser, noise, condition, *pose, steps, shift, sampler.chunks)

    def attention(start: int, stop: int) -> AttentionPlan | None:
        if sampler.mask is None:
            return None
        part = Window(clip, stretch.start + start, stretch.start + stop, stretch.reference)
        return plan_windows([part], denoiser.config.patch, sampler.mask, sampler.device)

    return sample_windows(denoiser, noise, condition, steps, shift, sampler.window, sampler.overlap, attention)


@torch.no_grad()
def decode(codec: Codec, latents_TChw: torch.Tensor) -> np.ndarray:
    """(T, H, W, 3) uint8."""
    parts = latents_TChw.float().to(codec.sensitivity.device).split(_DECODED_TOGETHER)
    return np.concatenate([to_pictures(codec.decode(part)) for part in parts])


def now(device: torch.device) -> float:
    """Seconds, once the device has done all it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
