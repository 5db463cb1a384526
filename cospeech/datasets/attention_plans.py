"""Plan the attention of training windows, and tell the region of each latent cell.

Axes: B batch, F video frames, h w latent cells.
"""

from collections.abc import Sequence

import numpy as np
import torch

from cospeech.attention.plan import AttentionPlan, MaskConfig
from cospeech.datasets.windows import Clip, Window
from cospeech.pose.regions import region_tokens


def plan_windows(
    windows: Sequence[Window], patch: int, mask: MaskConfig, device: torch.device | str = "cpu"
) -> AttentionPlan | None:
    """The input-aware attention of a batch of windows: tokens are `patch` x `patch` latent cells. None: dense."""
    plans = [mask.plan(window.track, token_grid(window.clip, patch), window.clip.stride) for window in windows]
    return AttentionPlan.join([plan for plan in plans if plan is not None]).to(device) if mask.parts else None


def token_grid(clip: Clip, patch: int) -> tuple[int, int]:
    """Tokens down and across, of `patch` x `patch` latent cells."""
    height, width = clip.cells
    return height // patch, width // patch


def region_cells(windows: Sequence[Window]) -> torch.Tensor:
    """The region of each latent cell in every video frame: (B, F, h, w) int64; all m_r of eq. 5, arXiv 2510.02617."""
    grid = token_grid(windows[0].clip, 1)
    region_BTN = np.stack([region_tokens(window.track, grid) for window in windows])
    return torch.from_numpy(region_BTN).unflatten(2, grid)
