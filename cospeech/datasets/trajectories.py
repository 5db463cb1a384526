"""What the student is distilled with: the teacher's trajectories, and the truth where people look.

Axes: B batch, C latent channels, T frames, h w latent cells.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from cospeech.artifacts import Targets
from cospeech.datasets.windows import Clip, Window


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
