"""Keypoints of one clip on disk: data/poses/ID.safetensors."""

from pathlib import Path

import numpy as np

from cospeech.artifacts.tensors import load_arrays, save_arrays
from cospeech.pose.skeleton import KEYPOINTS
from cospeech.pose.track import PoseTrack

_KIND, _VERSION = "poses", 1


def save_track(path: Path, track: PoseTrack, backend: str) -> None:
    """Write the track of a square clip. backend: the detector that found it, for who looks at the file."""
    height, width = track.size
    assert height == width, track.size
    _check(track)
    arrays = {
        "keypoints": track.keypoints.astype(np.float32, copy=False),
        "confidence": track.confidence.astype(np.float32, copy=False),
    }
    save_arrays(path, _KIND, _VERSION, arrays, {"size": str(height), "backend": backend})


def load_track(path: Path) -> PoseTrack:
    """Read the track of a clip.

    Raises:
        ValueError: the file is absent, damaged, of another kind or of another version.
    """
    arrays, metadata = load_arrays(path, _KIND, _VERSION)
    size = int(metadata["size"])
    track = PoseTrack(arrays["keypoints"], arrays["confidence"], (size, size))
    _check(track)
    return track


def _check(track: PoseTrack) -> None:
    assert track.confidence.shape[1] == KEYPOINTS, track.confidence.shape
    assert np.isfinite(track.keypoints).all()
