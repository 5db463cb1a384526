"""Draw a stretch of a held-out clip with the teacher or the student, and time it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from cospeech.attention.plan import AttentionPlan
from cospeech.datasets.attention_plans import token_grid
from cospeech.datasets.windows import Window
from cospeech.models.autoencoders.codec import Codec
from cospeech.models.common.protocols import DenoisingNet, StreamingNet, VideoCodec
from cospeech.models.common.tensor_record import WindowCondition
from cospeech.sampling.config import SamplingConfig
from cospeech.sampling.euler import first_noise, sample_windows
from cospeech.sampling.kv_stream import ready_to_stream, sample_stream
from cospeech.sampling.quantization import Arithmetic, in_arithmetic, pick_arithmetic
from cospeech.utils.images import to_images
from cospeech.utils.latent_frames import latent_groups
from cospeech.utils.precision import autocast
from cospeech.utils.random import step_generator


@dataclass(frozen=True)
class Sampler:
    """A denoiser and how it is run. arithmetic: of a stream, see `drawing_in`; None: floating point in
    `config.precision`."""

    denoiser: DenoisingNet
    codec: VideoCodec
    config: SamplingConfig
    arithmetic: Arithmetic | None = None

    def drawing_in(self, arithmetic: Arithmetic) -> "Sampler":
        """The same in that arithmetic, the codec too."""
        codec = self.codec if not isinstance(self.codec, Codec) else in_arithmetic(self.codec, "codec", arithmetic)
        return replace(self, codec=codec, arithmetic=arithmetic)

    @property
    def title(self) -> str:
        """What it draws in: int8, bf16 or fp32."""
        return (self.arithmetic or pick_arithmetic(self.device, self.config.precision, {})).title

    @cached_property
    def stream(self) -> StreamingNet[WindowCondition]:
        """Raises:
        ValueError: the denoiser is not a student.
        """
        arithmetic = self.arithmetic or pick_arithmetic(self.device, self.config.precision, {})
        return ready_to_stream(self.denoiser, self.config.times, arithmetic)

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
    device, stretch = sampler.device, replace(stretch, clip=stretch.clip.coded_by(sampler.codec))
    shape = 1, *stretch.latents.shape
    noise = first_noise(shape, sampler.config.temperature, step_generator(seed, index)).to(device)

    began = now(device)
    with autocast(device, sampler.config.precision):
        condition = stretch.condition.to(device)
        conditioned = now(device)
        latents = _sample(sampler, stretch, noise, condition)
        denoised = now(device)
        frames = decode(sampler.codec, latents[0])
    seconds = {"pose": conditioned - began, "denoise": denoised - conditioned, "decode": now(device) - denoised}
    return Drawn(frames, seconds)


def _sample(sampler: Sampler, stretch: Window, noise: torch.Tensor, condition: WindowCondition) -> torch.Tensor:
    denoiser, config, clip = sampler.denoiser, sampler.config, stretch.clip
    if config.stream is not None:
        return sample_stream(sampler.stream, noise, condition, stretch.track, config, clip.stride)

    groups = latent_groups(stretch.stop - stretch.start, clip.stride)

    def attention(start: int, stop: int) -> AttentionPlan | None:
        begin, first = groups[start]
        part = slice(stretch.start + begin, stretch.start + groups[stop - 1][1])
        plan = config.attention.plan(clip.track[part], token_grid(clip, denoiser.patch), clip.stride, first - begin)
        return None if plan is None else plan.to(sampler.device)

    return sample_windows(denoiser, noise, condition, config, attention, clip.stride)


@torch.no_grad()
def decode(codec: VideoCodec, latents_CThw: torch.Tensor) -> np.ndarray:
    """(F, H, W, 3) uint8."""
    return to_images(codec.decode_video(latents_CThw.to(codec.sensitivity.device).float()))


def now(device: torch.device) -> float:
    """Seconds, once the device has done all it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
