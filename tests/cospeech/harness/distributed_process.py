"""What test_distributed.py launches: three training steps of a tiny denoiser and of a critic that learns beside it."""

import sys
from pathlib import Path

import torch

from cospeech.harness.distributed import ProcessGroup, init_process_group
from cospeech.models.transformers.denoiser import Condition, Denoiser
from cospeech.training.checkpoint import Checkpoint
from cospeech.training.losses import denoising_loss
from cospeech.training.trainer import Learner, Optimisation, seeded, train_together

WINDOWS, FRAMES, SIDE = 4, 3, 8
SETTINGS = Optimisation(steps=3, lr=1e-3, warmup=1, hold=0.5, betas=(0.9, 0.99), weight_decay=0.0, clip=1.0, ema=0.9)


class Bar:
    def update(self, n: int = 1, **figures: float) -> None:
        pass


def tiny(seed: int) -> Denoiser:
    with seeded(seed):
        denoiser = Denoiser(3, 2, width=16, layers=1, heads=2, ffn_ratio=1, conv_width=8)
        torch.nn.init.normal_(denoiser.conv_last.weight, std=0.1)
    return denoiser


def run(folder: Path, process_group: ProcessGroup) -> None:
    channel_C = torch.tensor([0.5, 1.0, 1.5])

    def loss(model: Denoiser, step: int, generator: torch.Generator) -> torch.Tensor:
        def draw(*shape: int) -> torch.Tensor:
            return process_group.shard(torch.randn(WINDOWS, *shape, generator=generator))

        latents = draw(3, FRAMES, SIDE, SIDE)
        condition = Condition(draw(2, FRAMES, SIDE, SIDE), draw(3, SIDE, SIDE), draw(2, SIDE, SIDE))
        cells = draw(FRAMES, SIDE, SIDE).abs()
        return denoising_loss(model, latents, condition, channel_C, cells, 2.0, generator, process_group=process_group)

    learners = {"critic": Learner(tiny(1), loss, SETTINGS, updates=2), "student": Learner(tiny(2), loss, SETTINGS)}
    train_together(learners, 0, Bar(), Checkpoint(folder), process_group)


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(Path(sys.argv[1]), init_process_group("cpu", "fp32"))
