"""The training loop: a sum over steps that depends on the seed, the step number and the data, and on nothing else.

What step s draws comes from generators seeded by (seed, s), so a run that was stopped goes on bit for bit. Several
models may learn together (a student and its critic), each with its optimiser and its average; several processes may
share the batches (`cospeech.harness.distributed`).
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from cospeech.harness.distributed import SINGLE_PROCESS, ProcessGroup
from cospeech.harness.progress import Progress
from cospeech.training.checkpoint import Checkpoint
from cospeech.utils.random import step_generator

Model = TypeVar("Model", bound=nn.Module)
Loss = Callable[[Model, int, torch.Generator], torch.Tensor]
"""(model, step, the update's generator on the CPU) -> scalar loss; the mean over this process's shard."""


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


@dataclass(frozen=True)
class Learner(Generic[Model]):
    """A model that a run trains in place. updates: of its weights in every step of the run."""

    model: Model
    loss: Loss
    settings: Optimisation
    updates: int = 1


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """For code that draws from PyTorch's global generators (initial weights, dropout): seeds and restores them."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed(seed)
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
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> Trained[Model]:
    """`train_together` of one model."""
    return train_together({"": Learner(model, loss, settings)}, seed, progress, checkpoint, process_group)[""]


def train_together(
    learners: Mapping[str, Learner],
    seed: int,
    progress: Progress,
    checkpoint: Checkpoint | None = None,
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> dict[str, Trained]:
    """Train the learners, in each step one after the other in the order given; all have the same number of steps.

    A run that is complete stays in its checkpoint and is loaded from it; the caller removes it once its outputs are
    saved.

    Raises:
        ValueError: a loss is not finite.
    """
    (steps,) = {learner.settings.steps for learner in learners.values()}
    runs = [_Run(name, index, learner, process_group) for index, (name, learner) in enumerate(learners.items())]
    done = _restore(runs, checkpoint, process_group)
    progress.update(done)
    with deterministic():
        for step in range(done, steps):
            progress.update(1, **{run.label: run.step(step, seed) for run in runs})
            if checkpoint is not None and process_group.is_main and (checkpoint.due() or step + 1 == steps):
                checkpoint.save(step + 1, {name: array for run in runs for name, array in run.state().items()})
    for run in runs:
        run.model.eval()
    return {run.name: Trained(run.average, run.losses) for run in runs}


def _restore(runs: Sequence["_Run"], checkpoint: Checkpoint | None, process_group: ProcessGroup) -> int:
    """Steps already done."""
    kept = process_group.broadcast(checkpoint.load() if checkpoint is not None and process_group.is_main else None)
    if kept is None:
        return 0
    step, arrays = kept
    for run in runs:
        run.restore({name: torch.from_numpy(array) for name, array in arrays.items()})
    return step


class _Run:
    """A learner at work: its optimiser, the average of its weights, the losses so far."""

    def __init__(self, name: str, index: int, learner: Learner, process_group: ProcessGroup) -> None:
        self.name, self.index, self.learner, self.process_group = name, index, learner, process_group
        self.model, settings = learner.model, learner.settings
        self.model.train()
        self.weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.optimiser = torch.optim.AdamW(
            self.weights, lr=settings.lr, betas=settings.betas, weight_decay=settings.weight_decay, fused=True
        )
        frozen = {id(weight): weight for weight in self.model.parameters() if not weight.requires_grad}
        self.average = copy.deepcopy(self.model, frozen).eval().requires_grad_(False)  # shares what does not learn
        self.losses: list[float] = []

    def step(self, step: int, seed: int) -> float:
        """All updates of one step; the loss of the last."""
        settings = self.learner.settings
        for group in self.optimiser.param_groups:
            group["lr"] = settings.lr_at(step)
        for update in range(self.learner.updates):
            value = self._update(step, step_generator(seed, step, self.index, update))
        self._average_in(min(settings.ema, (step + 1) / (step + 11)))
        self.losses.append(value)
        return value

    def _update(self, step: int, generator: torch.Generator) -> float:
        self.optimiser.zero_grad(set_to_none=True)
        with seeded(generator.initial_seed()):  # dropout draws from the global generator
            loss = self.learner.loss(self.model, step, generator)
            loss.backward()
        value = loss.detach().float().reshape(1)
        self.process_group.average([value])
        if not torch.isfinite(value):
            raise ValueError(
                f"the loss is {value.item()} at step {step} of {self.learner.settings.steps}; a lower lr may help"
            )
        self.process_group.average([weight.grad for weight in self.weights if weight.grad is not None])
        nn.utils.clip_grad_norm_(self.weights, self.learner.settings.clip)
        self.optimiser.step()
        return value.item()

    @torch.no_grad()
    def _average_in(self, decay: float) -> None:
        averages = dict(self.average.named_parameters())
        learned = {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}
        get_ema_multi_avg_fn(decay)([averages[name] for name in learned], list(learned.values()), None)

    @property
    def label(self) -> str:
        return f"{self.name}_loss" if self.name else "loss"

    @property
    def _prefix(self) -> str:
        return f"{self.name}." if self.name else ""

    def state(self) -> dict[str, np.ndarray]:
        """Everything the next step depends on, as named arrays."""
        learned, average = _learned(self.model), self.average.state_dict()
        tensors = {f"model.{name}": value for name, value in learned.items()}
        tensors |= {f"average.{name}": average[name] for name in learned}
        for index, values in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": value for name, value in values.items()}
        arrays = {name: value.detach().cpu().numpy() for name, value in tensors.items()}
        arrays["losses"] = np.array(self.losses, np.float64)
        return {f"{self._prefix}{name}": array for name, array in arrays.items()}

    def restore(self, tensors: dict[str, torch.Tensor]) -> None:
        tensors = _part(tensors, self._prefix)
        self.losses = tensors["losses"].tolist()
        names = _learned(self.model).keys()
        for model, kept in ((self.model, _part(tensors, "model.")), (self.average, _part(tensors, "average."))):
            assert kept.keys() == names, kept.keys() ^ names
            model.load_state_dict(kept, strict=False)
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in _part(tensors, "optimiser.").items():
            index, field = name.split(".", 1)
            moments.setdefault(int(index), {})[field] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": moments})


def _learned(model: nn.Module) -> dict[str, torch.Tensor]:
    """Weights and buffers without what is frozen: that is the model's own and stays as it was loaded."""
    frozen = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    return {name: value for name, value in model.state_dict().items() if name not in frozen}


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
