"""The Euler step that all samplers share."""

import torch


def euler_step(x: torch.Tensor, clean: torch.Tensor, now: float, after: float) -> torch.Tensor:
    """Move `x` from time `now` to the earlier time `after` along the straight path x_t = (1 - t) clean + t noise."""
    return clean + (x - clean) * (after / now)
