"""What test_training.py kills: a student that learns from a critic that learns from the student."""

import os
import signal
import sys
from pathlib import Path

import torch
from torch import nn

from cospeech.training.checkpoint import Checkpoint
from cospeech.training.trainer import Learner, Optimisation, Trained, seeded, train_together

SETTINGS = Optimisation(steps=9, lr=0.02, warmup=2, hold=0.5, betas=(0.9, 0.99), weight_decay=0.01, clip=1.0, ema=0.9)


class Bar:
    def update(self, n: int = 1, **figures: float) -> None:
        pass


def run(folder: Path, kill_at: int | None = None) -> dict[str, Trained]:
    with seeded(7):
        student, critic = nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 4))

    def student_loss(model: nn.Module, step: int, generator: torch.Generator) -> torch.Tensor:
        if step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return critic(model(torch.randn(5, 4, generator=generator))).square().mean()

    def critic_loss(model: nn.Module, step: int, generator: torch.Generator) -> torch.Tensor:
        with torch.no_grad():
            drawn = student(torch.randn(5, 4, generator=generator))
        return (model(drawn) - drawn).square().mean()

    learners = {
        "critic": Learner(critic, critic_loss, SETTINGS, updates=2),
        "student": Learner(student, student_loss, SETTINGS),
    }
    return train_together(learners, 0, Bar(), Checkpoint(folder, every_seconds=0))


if __name__ == "__main__":
    run(Path(sys.argv[1]), int(sys.argv[2]))
