"""What the student is distilled with: the teacher's trajectories, and the truth where people look.

Axes: B batch, C latent channels, T frames, h w latent cells.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from stages.lib.artifacts import Targets
from stages.lib.attention.plan import AttentionPlan, Mask, join_plans
from stages.lib.dataset import Clip, Window
from stages.lib.regions import region_tokens


@dataclass(frozen=True)
class Trajectory:
    """A window of a training clip as the teacher drew it.

    times: (n,) from 1 to 0. states: (n, C, T, h, w) float16, noise first, the teacher's result last.
    """

    window: Window
    times: torch.Tensor
    states: torch.Tensor

    def state(self, step: int, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
        """What a sampler of `steps` steps holds before step 0 .. steps - 1: its state (C, T, h, w) float32 and time."""
        index = step * (len(self.states) - 1) // steps
        return self.states[index].float(), self.times[index]

    @property
    def result(self) -> torch.Tensor:
        """(C, T, h, w) float32."""
        return self.states[-1].float()


def attach(targets: Targets, clips: Mapping[str, Clip]) -> Trajectory:
    """Targets with the clip they were drawn for.

    Raises:
        ValueError: the clip is not there, or is shorter than the window.
    """
    first, last = int(targets.frames[0]), int(targets.frames[-1])
    clip = clips.get(targets.clip)
    if clip is None or len(clip) <= max(last, targets.reference):
        found = "is not a kept training clip" if clip is None else f"has {len(clip)} frames"
        raise ValueError(
            f"teacher targets name frames {first} to {last} of {targets.clip}, which {found}; run dvc repro"
        )
    window = Window(clip, first, last + 1, targets.reference)
    return Trajectory(window, torch.from_numpy(targets.timesteps), torch.from_numpy(targets.states))


def plan_windows(
    windows: Sequence[Window], patch: int, mask: Mask, device: torch.device | str = "cpu"
) -> AttentionPlan | None:
    """The input-aware attention of a batch of windows: tokens are `patch` x `patch` latent cells. None: dense."""
    plans = [mask.plan(*_pose(window), token_grid(window.clip, patch), window.clip.stride) for window in windows]
    return join_plans([plan for plan in plans if plan is not None]).to(device) if mask.parts else None


def _pose(window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints in 0..1 of the frame and confidences of its frames."""
    return window.clip.keypoints[window.frames], window.clip.confidence[window.frames]


def token_grid(clip: Clip, patch: int) -> tuple[int, int]:
    """Tokens down and across, of `patch` x `patch` latent cells."""
    height, width = clip.cells
    return height // patch, width // patch


def region_cells(windows: Sequence[Window]) -> torch.Tensor:
    """The region of each latent cell in every video frame: (B, F, h, w) int64; all m_r of eq. 5, arXiv 2510.02617."""
    grid = token_grid(windows[0].clip, 1)
    region_BTN = np.stack([region_tokens(*_pose(window), grid) for window in windows])
    return torch.from_numpy(region_BTN).unflatten(2, grid)
