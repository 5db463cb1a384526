"""Detectors of 133 keypoints, one interface. Heavy libraries are loaded when a detector is built."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from cospeech.pose.dwpose import DwposeDetector, DwposeOptions
from cospeech.pose.mediapipe import MediaPipeDetector, MediaPipeOptions
from cospeech.pose.track import PoseTrack
from cospeech.utils.json_types import JSONValue

Options = MediaPipeOptions | DwposeOptions


class Detector(Protocol):
    def detect_video(self, frames: np.ndarray) -> PoseTrack:
        """Keypoints of one shot; frames (T, H, H, 3) uint8 RGB. ValueError if there are none or they are not square."""

    def detect_image(self, frame: np.ndarray) -> PoseTrack | None:
        """One frame: the person in a picture (H, W, 3) uint8 RGB; None if nobody is."""

    def close(self) -> None: ...


def options_of(backend: str, settings: Mapping[str, JSONValue]) -> Options:
    """settings: the section `poses` of the parameters, plain; only those of `backend` are looked at."""
    return DwposeOptions(**settings["dwpose"]) if backend == "dwpose" else MediaPipeOptions(**settings["mediapipe"])


def build_detector(backend: str, options: Options | None = None) -> Detector:
    """The detector named `backend` (mediapipe or dwpose) with its options (None: mediapipe's defaults).

    Raises:
        ValueError: unknown backend, options of another backend, or weights that are not there.
    """
    if backend == "mediapipe" and (options is None or isinstance(options, MediaPipeOptions)):
        return MediaPipeDetector(options or MediaPipeOptions())
    if backend == "dwpose" and isinstance(options, DwposeOptions):
        return DwposeDetector(options)
    if backend not in ("mediapipe", "dwpose"):
        raise ValueError(f"poses.backend is {backend!r}; it must be mediapipe or dwpose")
    raise ValueError(f"backend {backend} does not take {type(options).__name__}")
