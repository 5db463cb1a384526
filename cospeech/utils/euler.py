"""The Euler step of every sampler."""

import torch


def euler_step(x: torch.Tensor, clean: torch.Tensor, now: float, after: float) -> torch.Tensor:
    """`x` at time `now` moved along the straight path x_t = (1 - t) clean + t noise to the earlier time `after`."""
    return clean + (x - clean) * (after / now)
