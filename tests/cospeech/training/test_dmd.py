"""Distribution matching against cases whose answer is known."""

from dataclasses import dataclass

import pytest
import torch

from cospeech.sampling.config import SamplingConfig
from cospeech.sampling.euler import sample
from cospeech.training.dmd import draw_few_steps, matching_gradient, matching_loss, matching_times, surrogate
from cospeech.training.losses import add_noise
from tests.cospeech.models.test_denoiser import tiny_denoiser, window

SHAPE = (1, 1, 1, 1, 4096)


@dataclass
class Gaussian:
    """The best denoiser of data N(mean, deviation^2): E[x0 | x_t] with x_t = (1 - t) x0 + t noise."""

    mean: float
    deviation: float

    def __call__(self, x_t: torch.Tensor, time_B: torch.Tensor, condition: None, attention: None) -> torch.Tensor:
        t = time_B.view(-1, 1, 1, 1, 1)
        gain = (1 - t) * self.deviation**2 / ((1 - t) ** 2 * self.deviation**2 + t**2)
        return self.mean + gain * (x_t - (1 - t) * self.mean)


def noise(seed: int = 0) -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


def gradient(sample_: torch.Tensor, teacher: Gaussian, critic: Gaussian, time: float) -> torch.Tensor:
    moved = sample_.clone().requires_grad_()
    times = torch.tensor([time])
    loss = matching_loss(teacher, critic, moved, noise(1), times, None, torch.ones(SHAPE))  # type: ignore[arg-type]
    return torch.autograd.grad(loss, moved)[0] * moved.numel()


@pytest.mark.parametrize("time", [0.1, 0.5, 0.9])
def test_samples_are_pulled_to_the_teachers_mean(time: float) -> None:
    """Student at 0, teacher at 2: a descent step must move every sample up; at -2: down."""
    drawn = noise()
    up, down = (gradient(drawn, Gaussian(mean, 1.0), Gaussian(0.0, 1.0), time) for mean in (2.0, -2.0))
    assert (up < 0).all()
    assert (down > 0).all()


def test_samples_that_are_too_narrow_are_spread() -> None:
    drawn = 0.5 * noise()
    found = gradient(drawn, Gaussian(0.0, 1.0), Gaussian(0.0, 0.5), 0.5)
    noised = add_noise(drawn, noise(1), torch.tensor([0.5]))
    assert torch.equal(found < 0, noised > 0)  # away from the mean on either side


def test_equal_scores_give_no_gradient() -> None:
    assert not gradient(noise(), Gaussian(1.0, 1.0), Gaussian(1.0, 1.0), 0.4).any()


def test_a_student_of_one_number_reaches_the_teachers_mean() -> None:
    """Gradient descent on eq. 4, the critic being the exact score of what the student draws."""
    place = torch.zeros((), requires_grad=True)
    for step in range(60):
        generator = torch.Generator().manual_seed(step)
        drawn = place + torch.randn(SHAPE, generator=generator)
        times = matching_times(1, 1.0, generator)
        critic, more = Gaussian(place.item(), 1.0), torch.randn(SHAPE, generator=generator)
        loss = matching_loss(Gaussian(1.5, 1.0), critic, drawn, more, times, None, torch.ones(SHAPE))  # type: ignore[arg-type]
        (slope,) = torch.autograd.grad(loss, place)
        place = (place - 0.2 * slope).detach().requires_grad_()
    assert place.item() == pytest.approx(1.5, abs=0.15)


def test_the_gradient_is_normalised_a_window() -> None:
    """A window whose sample is ten times as far from the teacher's gets no larger steps for it."""
    real = torch.zeros(2, 1, 1, 1, 3)
    sample_, fake = torch.ones_like(real), torch.full_like(real, 0.5)
    sample_[1], fake[1] = 10, 5
    torch.testing.assert_close(matching_gradient(sample_, real, fake), torch.full_like(real, 0.5))


def test_a_sample_as_the_teacher_has_it_is_left_alone() -> None:
    same = torch.ones(1, 1, 1, 1, 3)
    assert not matching_gradient(same, same, same).any()


def test_the_surrogate_has_that_gradient() -> None:
    """Against finite differences of the surrogate with its target held."""
    generator = torch.Generator().manual_seed(0)
    drawn, wanted, weight = torch.randn(3, 1, 2, 1, 1, 3, generator=generator, dtype=torch.float64).unbind(0)
    drawn = drawn.clone().requires_grad_()
    (found,) = torch.autograd.grad(surrogate(drawn, wanted, weight), drawn)
    torch.testing.assert_close(found, wanted * weight / drawn.numel())
    target, step = (drawn - wanted).detach(), 1e-6
    for index in range(drawn.numel()):
        moved = [drawn.detach().clone() for _ in range(2)]
        for each, sign in zip(moved, (1, -1), strict=True):
            each.view(-1)[index] += sign * step
        high, low = (surrogate(each, each - target, weight) for each in moved)
        assert ((high - low) / (2 * step)).item() == pytest.approx(found.view(-1)[index].item(), rel=1e-5, abs=1e-9)


def test_times_keep_off_the_ends_and_shift_to_noise() -> None:
    even, shifted = (matching_times(4000, shift, torch.Generator().manual_seed(0)) for shift in (1.0, 2.0))
    assert 0.02 <= even.min() < 0.05
    assert 0.95 < even.max() <= 0.98
    assert abs(shifted.median() - 2 / 3) < 0.02


def test_the_last_step_is_that_of_the_sampler() -> None:
    student = tiny_denoiser()
    drawn, _, condition = window()
    for steps in (1, 2, 4):
        config = SamplingConfig(steps=steps, shift=2.0)
        made = draw_few_steps(student, drawn, condition, config, steps - 1)
        torch.testing.assert_close(made, sample(student, drawn, condition, config))


def test_gradient_passes_through_the_last_step_only() -> None:
    """That of the step alone, from the state the earlier steps left."""
    student = tiny_denoiser()
    drawn, _, condition = window()
    kept, config = list[torch.Tensor](), SamplingConfig(steps=2, shift=2.0)
    sample(student, drawn, condition, config, on_state=lambda index, state: kept.append(state))

    def slope(loss: torch.Tensor) -> torch.Tensor:
        return torch.autograd.grad(loss, student.conv_in.weight)[0]

    found = slope(draw_few_steps(student, drawn, condition, config, 1).square().mean())
    alone = slope(student(kept[1], torch.full((2,), 2 / 3), condition).square().mean())
    torch.testing.assert_close(found, alone)
    assert found.abs().max() > 0
