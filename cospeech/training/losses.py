"""What denoisers are trained on.

Axes: B batch, C latent channels, T frames, h w latent cells.
"""

import torch

from ..attention.plan import AttentionPlan
from ..harness.distributed import SINGLE_PROCESS, ProcessGroup
from ..models.common.protocols import DenoisingNet
from ..models.common.tensor_record import WindowCondition


def channel_weights(sensitivity_C: torch.Tensor) -> torch.Tensor:
    """Weights (C,) of mean 1: errors in latent channels count as the decoder shows them, by the root of its gain."""
    weight = sensitivity_C.clamp(min=0).sqrt()
    return weight / weight.mean()


def training_timesteps(count: int, shift: float, generator: torch.Generator) -> torch.Tensor:
    """(count,) times in 0..1, one from each of `count` equal shares of their distribution: a calmer gradient."""
    uniform = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    uniform = uniform[torch.randperm(count, generator=generator)]
    return shift * uniform / (1 + (shift - 1) * uniform)


def add_noise(latents_BCThw: torch.Tensor, noise_BCThw: torch.Tensor, timestep_B: torch.Tensor) -> torch.Tensor:
    """x_t = (1 - t) x0 + t noise."""
    t = timestep_B.view(-1, 1, 1, 1, 1)
    return (1 - t) * latents_BCThw + t * noise_BCThw


def weighted_error(
    predicted_BCThw: torch.Tensor, truth_BCThw: torch.Tensor, channel_C: torch.Tensor, cell_BThw: torch.Tensor
) -> torch.Tensor:
    """Mean squared error under weights a channel and a cell, normalised to mean 1 in each window."""
    weight_BCThw = error_weights(channel_C, cell_BThw)
    return ((predicted_BCThw - truth_BCThw).square() * weight_BCThw).mean()


def error_weights(channel_C: torch.Tensor, cell_BThw: torch.Tensor) -> torch.Tensor:
    """(B, C, T, h, w), of mean 1 in each window."""
    weight_BCThw = channel_C.view(1, -1, 1, 1, 1) * cell_BThw[:, None]
    return weight_BCThw / weight_BCThw.mean((1, 2, 3, 4), keepdim=True)


def denoising_loss(
    denoiser: DenoisingNet,
    latents_BCThw: torch.Tensor,
    condition: WindowCondition,
    channel_C: torch.Tensor,
    cell_BThw: torch.Tensor,
    shift: float,
    generator: torch.Generator,
    attention: AttentionPlan | None = None,
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> torch.Tensor:
    """Noise the latents to random times and compare what the denoiser makes of them (None: dense attention).

    process_group: the batch is this process's shard of theirs.
    """
    count = len(latents_BCThw) * process_group.world_size
    noise = process_group.shard(torch.randn((count, *latents_BCThw.shape[1:]), generator=generator)).to(latents_BCThw)
    timestep = process_group.shard(training_timesteps(count, shift, generator)).to(latents_BCThw)
    predicted = denoiser(add_noise(latents_BCThw, noise, timestep), timestep, condition, attention)
    return weighted_error(predicted, latents_BCThw, channel_C, cell_BThw)
