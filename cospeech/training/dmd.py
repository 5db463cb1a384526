"""Distribution matching: the student's samples are moved where the teacher finds them likelier than a critic does.

Eq. 4 of arXiv 2510.02617, after DMD (arXiv 2311.18828) and DMD2 (arXiv 2405.14867): the critic, a second denoiser, is
trained on the student's own samples, so that its score is that of what the student draws. The student draws as it will
when it is used (Self Forcing, arXiv 2506.08009).

Axes: B batch, C latent channels, T frames, h w latent cells.
"""

from itertools import pairwise

import torch

from ..attention.plan import AttentionPlan
from ..models.common.protocols import DenoisingNet
from ..models.common.tensor_record import WindowCondition
from ..sampling.config import SamplingConfig
from ..utils.euler import euler_step
from .losses import add_noise

_TIMES = (0.02, 0.98)
"""Samples are noised to times between these (DMD2): at the ends both scores say the same, or nothing."""
_LEAST = 1e-3
"""Of the normaliser, so that a sample that is as the teacher would have it is left alone."""


def draw_few_steps(
    student: DenoisingNet,
    noise_BCThw: torch.Tensor,
    condition: WindowCondition,
    config: SamplingConfig,
    last: int,
    attention: AttentionPlan | None = None,
) -> torch.Tensor:
    """What the student makes of its step `last` (0 .. steps - 1): (B, C, T, h, w).

    Gradient passes through that step only; those before it are taken as `cospeech.sampling.euler` takes them.
    """
    times, x_BCThw = config.times, noise_BCThw
    with torch.no_grad():
        for now, after in list(pairwise(times))[:last]:
            x0 = student(x_BCThw, x_BCThw.new_full((len(x_BCThw),), now), condition, attention)
            x_BCThw = euler_step(x_BCThw, x0, now, after)
    return student(x_BCThw, x_BCThw.new_full((len(x_BCThw),), times[last]), condition, attention)


def matching_times(count: int, shift: float, generator: torch.Generator) -> torch.Tensor:
    """(count,) random times, `shift` above 1 towards noise."""
    low, high = _TIMES
    uniform = low + (high - low) * torch.rand(count, generator=generator)
    return shift * uniform / (1 + (shift - 1) * uniform)


@torch.no_grad()
def matching_gradient(sample_BCThw: torch.Tensor, real_BCThw: torch.Tensor, fake_BCThw: torch.Tensor) -> torch.Tensor:
    """The gradient of eq. 4 with respect to the sample: s_gen - s_data, in the weights of DMD.

    A denoiser that predicts x0 has the score s(x_t, t) = ((1 - t) x0 - x_t) / t^2, so s_gen - s_data is
    (1 - t) / t^2 (fake - real); DMD (its eq. 8) weights by t^2 / (1 - t) over the mean of |sample - real|, a window.

    real, fake: what teacher and critic make of the same noised sample.
    """
    distance_B1111 = (sample_BCThw - real_BCThw).abs().mean((1, 2, 3, 4), keepdim=True)
    return (fake_BCThw - real_BCThw) / distance_B1111.clamp(min=_LEAST)


def surrogate(sample_BCThw: torch.Tensor, gradient_BCThw: torch.Tensor, weight_BCThw: torch.Tensor) -> torch.Tensor:
    """A loss whose gradient with respect to the sample is `gradient * weight`, over the number of elements.

    0.5 |sample - stop(sample - gradient)|^2 (DMD2): the sample is pulled to where the gradient step would take it.
    """
    target_BCThw = (sample_BCThw - gradient_BCThw).detach()
    return 0.5 * ((sample_BCThw - target_BCThw).square() * weight_BCThw).mean()


def matching_loss(
    teacher: DenoisingNet,
    critic: DenoisingNet,
    sample_BCThw: torch.Tensor,
    noise_BCThw: torch.Tensor,
    timestep_B: torch.Tensor,
    condition: WindowCondition,
    weight_BCThw: torch.Tensor,
    attention: AttentionPlan | None = None,
) -> torch.Tensor:
    """Eq. 4 for samples of the student noised to `timestep_B`. weight: how much an element counts, of mean 1."""
    with torch.no_grad():
        noised_BCThw = add_noise(sample_BCThw, noise_BCThw, timestep_B)
        real_BCThw = teacher(noised_BCThw, timestep_B, condition, attention)
        fake_BCThw = critic(noised_BCThw, timestep_B, condition, attention)
    return surrogate(sample_BCThw, matching_gradient(sample_BCThw, real_BCThw, fake_BCThw), weight_BCThw)
