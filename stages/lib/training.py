"""The training loop: a sum over steps that depends on the seed, the step number and the data, and on nothing else.

What step s draws comes from a generator seeded by (seed, s), so a run that was stopped goes on bit for bit.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import nn

from stages.lib.checkpoint import Checkpoint
from stages.lib.context import Progress

Model = TypeVar("Model", bound=nn.Module)
Loss = Callable[[Model, int, torch.Generator], torch.Tensor]
"""(model, step, the step's generator on the CPU) -> scalar loss."""


@dataclass(frozen=True)
class Optimisation:
    """AdamW (Loshchilov and Hutter, ICLR 2019) and how its learning rate runs.

    lr rises over `warmup` steps, holds until the share `hold` of all steps, falls as a cosine to a 25th at the end.
    ema: decay of the average of the weights, shorter at the start; clip: largest norm of the gradient.
    """

    steps: int
    lr: float
    warmup: int
    hold: float
    betas: tuple[float, float]
    weight_decay: float
    clip: float
    ema: float

    def lr_at(self, step: int) -> float:
        """Learning rate of step 0 .. steps - 1."""
        rise = min(1.0, (step + 1) / max(self.warmup, 1))
        fall = max(0.0, (step / self.steps - self.hold) / max(1 - self.hold, 1e-9))
        return self.lr * rise * (0.04 + 0.96 * 0.5 * (1 + math.cos(math.pi * fall)))


@dataclass(frozen=True)
class Trained(Generic[Model]):
    """losses: one a step. average: the model with averaged weights, in eval mode."""

    average: Model
    losses: list[float]


def step_generator(seed: int, step: int) -> torch.Generator:
    """A CPU generator that depends on both numbers and is independent between steps."""
    mixed = np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """For code that draws from PyTorch's global generator (initial weights): seeds it, then puts it back."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


@contextmanager
def deterministic() -> Iterator[None]:
    """Ask PyTorch for kernels that give the same bits each time, where it has them."""
    before, warn = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn)


def train(
    model: Model,
    loss: Loss,
    settings: Optimisation,
    seed: int,
    progress: Progress,
    checkpoint: Checkpoint | None = None,
) -> Trained[Model]:
    """Train `model` in place for `settings.steps` steps; the caller removes the checkpoint once its outputs are saved.

    Raises:
        ValueError: the loss is not finite.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = torch.optim.AdamW(
        weights, lr=settings.lr, betas=settings.betas, weight_decay=settings.weight_decay, fused=True
    )
    average = copy.deepcopy(model).eval()
    average.requires_grad_(False)
    run = _Run(model, average, optimiser, [])
    done = run.restore(checkpoint)
    progress.update(done)
    model.train()
    with deterministic():
        for step in range(done, settings.steps):
            value = _step(run, loss, settings, seed, step, weights)
            progress.update(1, loss=value)
            if checkpoint is not None and checkpoint.due() and step + 1 < settings.steps:
                checkpoint.save(step + 1, run.state())
    model.eval()
    return Trained(average, run.losses)


def _step(
    run: "_Run", loss: Loss, settings: Optimisation, seed: int, step: int, weights: Sequence[nn.Parameter]
) -> float:
    for group in run.optimiser.param_groups:
        group["lr"] = settings.lr_at(step)
    value = loss(run.model, step, step_generator(seed, step))
    if not torch.isfinite(value):
        raise ValueError(f"the loss is {value.item()} at step {step} of {settings.steps}; a lower lr may help")
    run.optimiser.zero_grad(set_to_none=True)
    value.backward()
    nn.utils.clip_grad_norm_(weights, settings.clip)
    run.optimiser.step()
    run.average_in(min(settings.ema, (step + 1) / (step + 11)))
    run.losses.append(value.item())
    return run.losses[-1]


@dataclass
class _Run:
    model: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    losses: list[float]

    @torch.no_grad()
    def average_in(self, decay: float) -> None:
        torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - decay)

    def state(self) -> dict[str, np.ndarray]:
        """Everything the next step depends on, as named arrays."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        for index, values in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": value for name, value in values.items()}
        arrays = {name: value.detach().cpu().numpy() for name, value in tensors.items()}
        return {**arrays, "losses": np.array(self.losses, np.float64)}

    def restore(self, checkpoint: Checkpoint | None) -> int:
        """Steps already done."""
        kept = checkpoint.load() if checkpoint is not None else None
        if kept is None:
            return 0
        step, arrays = kept
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        self.losses = tensors.pop("losses").tolist()
        self.model.load_state_dict(_part(tensors, "model."))
        self.average.load_state_dict(_part(tensors, "average."))
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in _part(tensors, "optimiser.").items():
            index, field = name.split(".", 1)
            moments.setdefault(int(index), {})[field] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": moments})
        return step


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
