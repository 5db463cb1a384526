"""The student as people use it: a picture and a voice, or keypoints, in; video out. Goes into the export as it is."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..pose.track import PoseTrack
from ..utils.allocator import keep_freed_memory
from ..utils.precision import Precision
from .bundle import Models, Settings, WanModels, load_models
from .conditioning import Person, Scene
from .factory import open_animation, open_scene
from .frame_stream import Animation, draw_windows
from .profiler import Watch
from .session import Session
from .wan_frame_stream import WanAnimation

__all__ = ["Person", "Settings", "Speaker", "keep_freed_memory", "load"]


def load(folder: str | Path, device: torch.device | str = "cpu", precision: Precision | None = None) -> "Speaker":
    """Load the model of an export.

    Args:
        folder: the export, such as models/export.
        device: "cpu", "cuda" or another of torch's.
        precision: auto takes what is fastest here, whole numbers of 8 bits where the processor has AVX2; fp32 and bf16
            are floating point; None: as the export says.

    Raises:
        ValueError: a part is missing, or the settings are of another version.
    """
    return Speaker(load_models(folder, device, precision))


@dataclass(frozen=True)
class Speaker:
    """One for many talks, also at the same time."""

    models: Models | WanModels

    @property
    def settings(self) -> Settings:
        return self.models.settings

    def start(
        self,
        person: Person,
        seed: int = 0,
        chunk: int | None = None,
        first: int | None = None,
        watch: Watch | None = None,
    ) -> Session:
        """A talk: samples of a voice are pushed, frames come out; see `talking.session`. chunk, first: frames drawn at
        once, and at first (`talking.animation`). watch: keeps what each part took.

        Raises:
            ValueError: the export has no motion model, or does not stream.
        """
        return Session(self.models, person, seed, chunk, first, watch)

    def follow(self, person: Person, seed: int = 0, chunk: int | None = None) -> Animation | WanAnimation:
        """A video that keypoints are pushed for, in pixels of a picture of `settings.size`; see `talking.animation`."""
        return open_animation(open_scene(self.models, person), seed, chunk)

    def animate(
        self,
        reference_image: np.ndarray,
        keypoints: np.ndarray,
        confidence: np.ndarray,
        reference_keypoints: np.ndarray | None = None,
        reference_confidence: np.ndarray | None = None,
        seed: int = 0,
    ) -> np.ndarray:
        """Let the person in a picture move like keypoints, all at once: (T, size, size, 3) uint8 RGB.

        Args:
            reference_image: (S, S, 3) uint8 RGB, square, head and shoulders to hips.
            keypoints: (T, 133, 2), COCO-WholeBody, pixels of the reference image. confidence: (T, 133), 0 to 1.
            reference_keypoints: (133, 2) of the picture; None: those of the first frame.
            reference_confidence: (133,), likewise.

        Raises:
            ValueError: shapes that do not fit.
        """
        frames = len(keypoints)
        if frames == 0 or keypoints.shape != (frames, 133, 2) or confidence.shape != (frames, 133):
            raise ValueError(
                f"expected keypoints (T, 133, 2) and confidence (T, 133), got {keypoints.shape} and {confidence.shape}"
            )
        if reference_keypoints is None or reference_confidence is None:
            reference_keypoints, reference_confidence = keypoints[0], confidence[0]
        person = Person(reference_image, reference_keypoints, reference_confidence)
        track = PoseTrack(keypoints, confidence, reference_image.shape[:2]).resized((self.settings.size,) * 2)
        if self.settings.stream is None and isinstance(self.models, Models):
            return draw_windows(Scene(self.models, person), track, seed)
        with self.follow(person, seed) as animation:
            animation.push(track)
            return animation.finish()
