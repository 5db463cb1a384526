"""Keypoints of generated frames, in parallel over takes."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cospeech.harness.process_pool import ClipFailure, map_clips
from cospeech.harness.progress import Progress
from cospeech.pose.detectors import Detector, Options, build_detector
from cospeech.pose.track import PoseTrack


@dataclass(frozen=True)
class DetectJob:
    """frames: (T, H, H, 3) uint8 that `model` made for `clip`."""

    clip: str
    model: str
    frames: np.ndarray
    backend: str
    options: Options


def detect_all(jobs: Sequence[DetectJob], executor: Executor, bar: Progress) -> dict[tuple[str, str], PoseTrack]:
    """By (clip, model), found as in real footage.

    Raises:
        ValueError: a detector failed.
    """
    found = {}
    for job, result in map_clips(detect, jobs, executor, bar):
        if isinstance(result, ClipFailure):
            raise ValueError(f"{result.clip}: the detector failed on the frames of {job.model}: {result.reason}")
        found[job.clip, job.model] = result
    return found


def detect(job: DetectJob) -> PoseTrack:
    return _detector(job.backend, job.options).detect_video(job.frames)


@lru_cache(maxsize=1)
def _detector(backend: str, options: Options) -> Detector:
    """One a process."""
    return build_detector(backend, options)
