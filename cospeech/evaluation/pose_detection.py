"""Keypoints of takes, in parallel over takes: of the whole picture as in real footage, and close up."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from cospeech.harness.process_pool import ClipFailure, map_clips
from cospeech.harness.progress import Progress
from cospeech.metric_networks.close_ups import CloseUps
from cospeech.pose.detectors import Detector, Options, build_detector
from cospeech.pose.track import PoseTrack


@dataclass(frozen=True)
class DetectJob:
    """frames: (T, H, H, 3) uint8 that `model` made for `clip`. asked: what it was to draw. known: keypoints of these
    frames; None: they are to be found."""

    clip: str
    model: str
    frames: np.ndarray
    asked: PoseTrack
    known: PoseTrack | None
    backend: str
    options: Options


class Found(NamedTuple):
    """track: of the whole picture. close_up: face and hands, looked for where they are asked."""

    track: PoseTrack
    close_up: PoseTrack


def detect_all(jobs: Sequence[DetectJob], executor: Executor, bar: Progress) -> dict[tuple[str, str], Found]:
    """By (clip, model).

    Raises:
        ValueError: a detector failed.
    """
    found = {}
    for job, result in map_clips(detect, jobs, executor, bar):
        if isinstance(result, ClipFailure):
            raise ValueError(f"{result.clip}: the detector failed on the frames of {job.model}: {result.reason}")
        found[job.clip, job.model] = result
    return found


def detect(job: DetectJob) -> Found:
    track = _detector(job.backend, job.options).detect_video(job.frames) if job.known is None else job.known
    return Found(track, _close_ups().find(job.frames, job.asked))


@lru_cache(maxsize=1)
def _detector(backend: str, options: Options) -> Detector:
    """One a process."""
    return build_detector(backend, options)


@lru_cache(maxsize=1)
def _close_ups() -> CloseUps:
    """One a process."""
    return CloseUps()
