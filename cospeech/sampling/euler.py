"""From noise to video: Euler steps along straight paths, x_t = (1 - t) x0 + t noise, by a model that predicts x0.

Axes: B batch, C latent channels, T frames, h w latent cells.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch

from ..attention.plan import AttentionPlan
from ..models.common.protocols import DenoisingNet
from ..models.common.tensor_record import WindowCondition
from ..utils.euler import euler_step
from .config import SamplingConfig

OnState = Callable[[int, torch.Tensor], None]
WindowAttention = Callable[[int, int], AttentionPlan | None]


def first_noise(shape: Sequence[int], temperature: float, generator: torch.Generator) -> torch.Tensor:
    """What drawing begins with. temperature: its standard deviation; below 1 what is drawn is nearer to the mean of all
    that could be, as when the temperature of a flow is lowered (Glow, arXiv 1807.03039)."""
    return temperature * torch.randn(*shape, generator=generator)


@torch.no_grad()
def sample(
    denoiser: DenoisingNet,
    noise_BCThw: torch.Tensor,
    condition: WindowCondition,
    config: SamplingConfig,
    attention: AttentionPlan | None = None,
    on_state: OnState | None = None,
) -> torch.Tensor:
    """Latents (B, C, T, h, w) drawn from `noise_BCThw` in one window, whatever `config.window` is.

    `on_state(index, state)` sees every state: index 0 is the noise, index `config.steps` the result.
    """
    frames = noise_BCThw.shape[2]
    return _integrate(denoiser, noise_BCThw, condition, config.times, [(0, frames)], [attention], on_state)


@torch.no_grad()
def sample_windows(
    denoiser: DenoisingNet,
    noise_BCThw: torch.Tensor,
    condition: WindowCondition,
    config: SamplingConfig,
    attention: WindowAttention | None = None,
    stride: int = 1,
) -> torch.Tensor:
    """Latents of any number of frames: at every step overlapping windows, fused by temporal index.

    After section 3.4 of arXiv 2510.02617. Every window sees the original reference. Where windows overlap, their
    predictions are averaged, weighted by the distance to the window's ends.

    Args:
        condition: the poses of all T frames.
        attention: (start, stop) -> the plan of that window; None: dense.
        stride: video frames of a latent frame.
    """
    spans = window_spans(noise_BCThw.shape[2], *config.latent_window(stride))
    plans = [None if attention is None else attention(start, stop) for start, stop in spans]
    return _integrate(denoiser, noise_BCThw, condition, config.times, spans, plans)


def window_spans(frames: int, window: int, overlap: int) -> list[tuple[int, int]]:
    """(start, stop) of windows that cover all frames; the last is moved back so that it is whole."""
    if not 0 <= overlap < window:
        raise ValueError(f"windows of {window} frames cannot overlap by {overlap}")
    if frames <= window:
        return [(0, frames)]
    starts = [*range(0, frames - window, window - overlap), frames - window]
    return [(start, start + window) for start in starts]


def window_ramp(frames: int) -> torch.Tensor:
    """(T,) how much each frame of a window counts where windows overlap: the distance to the nearer end."""
    ramp = torch.arange(1, frames + 1)
    return torch.minimum(ramp, ramp.flip(0))


def _integrate(
    denoiser: DenoisingNet,
    x_BCThw: torch.Tensor,
    condition: WindowCondition,
    times: Sequence[float],
    spans: Sequence[tuple[int, int]],
    plans: Sequence[AttentionPlan | None],
    on_state: OnState | None = None,
) -> torch.Tensor:
    if on_state is not None:
        on_state(0, x_BCThw)
    for index, (now, after) in enumerate(pairwise(times), start=1):
        timestep_B = x_BCThw.new_full((len(x_BCThw),), now)
        x0 = _fused(denoiser, x_BCThw, timestep_B, condition, spans, plans)
        x_BCThw = euler_step(x_BCThw, x0, now, after)
        if on_state is not None:
            on_state(index, x_BCThw)
    return x_BCThw


def _fused(
    denoiser: DenoisingNet,
    x_BCThw: torch.Tensor,
    timestep_B: torch.Tensor,
    condition: WindowCondition,
    spans: Sequence[tuple[int, int]],
    plans: Sequence[AttentionPlan | None],
) -> torch.Tensor:
    if len(spans) == 1:
        return denoiser(x_BCThw, timestep_B, condition, plans[0])
    total = torch.zeros_like(x_BCThw)
    weight_T = x_BCThw.new_zeros(x_BCThw.shape[2])
    for (start, stop), plan in zip(spans, plans, strict=True):
        ramp = window_ramp(stop - start).to(weight_T)
        x0 = denoiser(x_BCThw[:, :, start:stop], timestep_B, condition.frames(start, stop), plan)
        total[:, :, start:stop] += x0 * ramp[:, None, None]
        weight_T[start:stop] += ramp
    return total / weight_T[:, None, None]
