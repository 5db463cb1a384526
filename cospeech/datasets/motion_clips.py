"""Clips as voice to motion sees them: how somebody moved while something was said."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cospeech.artifacts import AudioFeatures
from cospeech.harness.workspace import Workspace
from cospeech.motion.blinks import open_eyed
from cospeech.pose import skeleton as sk
from cospeech.pose.track_file import load_track


@dataclass(frozen=True)
class MovingClip:
    """keypoints: (T, 133, 2) pixels. confidence: (T, 133). mel: (T, M, C) log-mel."""

    keypoints: np.ndarray
    confidence: np.ndarray
    mel: np.ndarray

    def __len__(self) -> int:
        return len(self.keypoints)

    def mirrored(self) -> "MovingClip":
        """With left and right exchanged, about x = 0."""
        flipped = self.keypoints[:, sk.MIRROR] * np.array([-1, 1], np.float32)
        return replace(self, keypoints=flipped, confidence=self.confidence[:, sk.MIRROR])

    def open_eyed(self) -> "MovingClip":
        """Without its blinks, which are drawn by a process of their own (`blinks`)."""
        return replace(self, keypoints=open_eyed(self.keypoints))

    def smoothed(self) -> "MovingClip":
        """Without the detector's tremble: all but the face, which is quick, over three frames."""
        padded = np.pad(self.keypoints, ((1, 1), (0, 0), (0, 0)), mode="edge")
        smooth = (padded[:-2] / 4 + padded[1:-1] / 2 + padded[2:] / 4).astype(np.float32)
        smooth[:, sk.FACE] = self.keypoints[:, sk.FACE]
        return replace(self, keypoints=smooth)


def load_moving(workspace: Workspace, clips: Sequence[str]) -> list[MovingClip]:
    loaded = []
    for clip in clips:
        track = load_track(workspace.poses(clip))
        loaded.append(MovingClip(track.keypoints, track.confidence, AudioFeatures.load(workspace.audio(clip)).mel))
    return loaded
