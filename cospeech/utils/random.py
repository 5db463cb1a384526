"""Seed random generators."""

import numpy as np
import torch


def step_generator(seed: int, *numbers: int) -> torch.Generator:
    """Return a CPU generator seeded by all numbers; different numbers give independent streams.

    Trailing zeros change nothing.
    """
    mixed = np.random.SeedSequence([seed, *numbers]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed))
