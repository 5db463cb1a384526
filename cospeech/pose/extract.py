"""Poses of one clip, as a task for a worker process: read the frames, detect, keep the result in the clip store."""

import tempfile
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from cospeech.harness.clip_cache import ClipStore
from cospeech.harness.files import code_digest, file_digest, value_digest
from cospeech.media import read_frames
from cospeech.pose import cleaning, dwpose, mediapipe, skeleton, tflite
from cospeech.pose.detectors import Detector, Options, build_detector
from cospeech.pose.dwpose import DwposeOptions
from cospeech.pose.track_file import save_track

POSES_FILE = "poses.safetensors"


@dataclass(frozen=True)
class PoseJob:
    """One clip: its video, how many frames it must have, the detector's options, where the result is kept."""

    clip: str
    video: Path
    frames: int
    backend: str
    options: Options
    store: ClipStore
    key: str


def salt(backend: str, options: Options) -> str:
    """Digest of everything but the clip that decides the keypoints: options, weights, code, library."""
    weights = [options.detector, options.pose] if isinstance(options, DwposeOptions) else []
    return value_digest(
        {
            "backend": backend,
            "options": {name: str(value) for name, value in vars(options).items()},
            "weights": [file_digest(path) for path in weights if path.is_file()],
            "code": code_digest(cleaning, skeleton, *([dwpose] if backend == "dwpose" else [mediapipe, tflite])),
            "library": version("rtmlib" if backend == "dwpose" else "mediapipe"),
        }
    )


def extract_clip(job: PoseJob) -> int:
    """Detect the poses of a clip into the store; returns the number of frames.

    Raises:
        ValueError: the video is damaged or has another number of frames than the ledger says.
    """
    frames = read_frames(job.video)
    if len(frames) != job.frames:
        raise ValueError(
            f"{job.video} has {len(frames)} frames, data/clips.parquet says {job.frames}; run ingest again"
        )
    track = _detector(job.backend, job.options).detect_video(frames)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / POSES_FILE
        save_track(path, track, job.backend)
        job.store.put(job.key, {POSES_FILE: path})
    return len(frames)


@lru_cache(maxsize=1)
def _detector(backend: str, options: Options) -> Detector:
    """One a process: models are loaded with its first clip."""
    return build_detector(backend, options)
