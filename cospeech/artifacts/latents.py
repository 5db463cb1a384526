"""Encoded video and skeletons of one clip, encoded prompts, and one sampling trajectory of the teacher."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cospeech.artifacts.tensors import load_arrays, save_arrays


@dataclass(frozen=True)
class Latents:
    """Latents of one clip, one per video frame.

    latents: (T, C, h, w) float16, unit variance per channel over the training clips.
    pose: (T, P, h, w) float16, the skeleton image encoded by the pose encoder.
    """

    latents: np.ndarray
    pose: np.ndarray

    def __post_init__(self) -> None:
        assert self.latents.ndim == self.pose.ndim == 4
        assert len(self.latents) == len(self.pose)

    @property
    def channels(self) -> int:
        return self.latents.shape[1]

    def save(self, path: Path) -> None:
        arrays = {"latents": self.latents.astype(np.float16), "pose": self.pose.astype(np.float16)}
        save_arrays(path, "latents", 1, arrays)

    @classmethod
    def load(cls, path: Path) -> "Latents":
        arrays, _ = load_arrays(path, "latents", 1)
        return cls(arrays["latents"], arrays["pose"])


@dataclass(frozen=True)
class WindowLatents:
    """Latents of one clip from a codec that compresses time: of whole windows, of the whole clip and of single frames.

    length: frames of the clip.
    frames: frames of a window.
    starts: (W,) int64, first frame of each window.
    latents, pose: (W, C, T, h, w) float16, unit variance, of the video and of the skeleton video.
    whole, whole_pose: (C, L, h, w) float16, of the clip from its first frame; L is 0 if only windows are needed.
    empty: (C, max(T, L), h, w) float16, of a uniformly grey video.
    references: (R,) int64, frames encoded as single images.
    pictures: (R, C, h, w) float16, those images.

    The codec is causal: a shorter segment from the same first frame has the same first latents.
    """

    length: int
    frames: int
    starts: np.ndarray
    latents: np.ndarray
    pose: np.ndarray
    whole: np.ndarray
    whole_pose: np.ndarray
    empty: np.ndarray
    references: np.ndarray
    pictures: np.ndarray

    def __post_init__(self) -> None:
        assert self.latents.shape == self.pose.shape
        assert len(self.latents) == len(self.starts)
        assert self.whole.shape == self.whole_pose.shape
        assert self.empty.shape[1] >= max(self.latents.shape[2], self.whole.shape[1])
        assert self.pictures.shape[0] == len(self.references)

    @property
    def channels(self) -> int:
        return self.pictures.shape[1]

    def save(self, path: Path) -> None:
        halves = ("latents", "pose", "whole", "whole_pose", "empty", "pictures")
        arrays = {name: getattr(self, name).astype(np.float16) for name in halves}
        arrays |= {name: getattr(self, name).astype(np.int64) for name in ("starts", "references")}
        save_arrays(path, "window latents", 2, arrays, {"length": str(self.length), "frames": str(self.frames)})

    @classmethod
    def load(cls, path: Path) -> "WindowLatents":
        arrays, metadata = load_arrays(path, "window latents", 2)
        return cls(int(metadata["length"]), int(metadata["frames"]), **arrays)


@dataclass(frozen=True)
class Prompts:
    """Text embeddings of the prompt and of the negative prompt, (L, E) float32 each."""

    positive: np.ndarray
    negative: np.ndarray

    def save(self, path: Path) -> None:
        save_arrays(path, "prompts", 1, {"positive": self.positive, "negative": self.negative})

    @classmethod
    def load(cls, path: Path) -> "Prompts":
        arrays, _ = load_arrays(path, "prompts", 1)
        return cls(**arrays)


@dataclass(frozen=True)
class Targets:
    """The teacher's sampling trajectory of one window.

    clip: id. frames: (F,) int64, indices into the clip. reference: index of the reference frame.
    timesteps: (n,) float32, from 1 (noise) to 0.
    states: (n, C, T, h, w) float16, from the noise to the teacher's result; T is F, or less if the codec compresses
    time.
    """

    clip: str
    frames: np.ndarray
    reference: int
    timesteps: np.ndarray
    states: np.ndarray

    def __post_init__(self) -> None:
        assert len(self.timesteps) == len(self.states)
        assert self.states.shape[2] <= len(self.frames)

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
