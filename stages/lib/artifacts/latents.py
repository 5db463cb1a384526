"""Encoded video and skeletons of one clip; one window of teacher targets."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.lib.artifacts.tensors import load_arrays, save_arrays


@dataclass(frozen=True)
class Latents:
    """latents: (T, C, h, w) float16, unit variance per channel over the training clips.
    pose: (T, P, h, w) float16, the skeleton picture in the pose encoder's channels."""

    latents: np.ndarray
    pose: np.ndarray

    def __post_init__(self) -> None:
        assert self.latents.ndim == self.pose.ndim == 4
        assert len(self.latents) == len(self.pose)

    def save(self, path: Path) -> None:
        arrays = {"latents": self.latents.astype(np.float16), "pose": self.pose.astype(np.float16)}
        save_arrays(path, "latents", 1, arrays)

    @classmethod
    def load(cls, path: Path) -> "Latents":
        arrays, _ = load_arrays(path, "latents", 1)
        return cls(arrays["latents"], arrays["pose"])


@dataclass(frozen=True)
class Targets:
    """One window of T frames as the teacher drew it.

    clip: id. frames: (T,) int64 indices into the clip. reference: index of the reference frame.
    timesteps: (n,) float32 from 1 (noise) to 0. states: (n, C, T, h, w) float16; states[0] is the noise, states[-1] the
    teacher's result.
    """

    clip: str
    frames: np.ndarray
    reference: int
    timesteps: np.ndarray
    states: np.ndarray

    def __post_init__(self) -> None:
        assert len(self.timesteps) == len(self.states)
        assert self.states.shape[2] == len(self.frames)

    def save(self, path: Path) -> None:
        arrays: dict[str, np.ndarray] = {
            "frames": self.frames.astype(np.int64),
            "timesteps": self.timesteps.astype(np.float32),
            "states": self.states.astype(np.float16),
        }
        save_arrays(path, "targets", 1, arrays, {"clip": self.clip, "reference": str(self.reference)})

    @classmethod
    def load(cls, path: Path) -> "Targets":
        arrays, metadata = load_arrays(path, "targets", 1)
        reference = int(metadata["reference"])
        return cls(metadata["clip"], arrays["frames"], reference, arrays["timesteps"], arrays["states"])
