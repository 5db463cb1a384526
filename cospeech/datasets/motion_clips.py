"""Clips as voice to motion sees them: how somebody moved while something was said."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cospeech.artifacts import AudioFeatures
from cospeech.harness.workspace import Workspace
from cospeech.motion.blinks import open_eyed
from cospeech.pose import skeleton as sk
from cospeech.pose.track import PoseTrack
from cospeech.pose.track_file import load_track


@dataclass(frozen=True)
class MovingClip:
    """mel: (T, M, C) log-mel."""

    track: PoseTrack
    mel: np.ndarray

    def __len__(self) -> int:
        return len(self.track)

    @property
    def keypoints(self) -> np.ndarray:
        """(T, 133, 2) pixels."""
        return self.track.keypoints

    def mirrored(self) -> "MovingClip":
        """With left and right exchanged, about x = 0."""
        swapped = self.track.points(sk.MIRROR)
        return replace(self, track=replace(swapped, keypoints=swapped.keypoints * np.array([-1, 1], np.float32)))

    def open_eyed(self) -> "MovingClip":
        """Without its blinks, which are drawn by a process of their own (`blinks`)."""
        return self._moved(open_eyed(self.keypoints))

    def smoothed(self) -> "MovingClip":
        """Without the detector's tremble: all but the face, which is quick, over three frames."""
        padded = np.pad(self.keypoints, ((1, 1), (0, 0), (0, 0)), mode="edge")
        smooth = (padded[:-2] / 4 + padded[1:-1] / 2 + padded[2:] / 4).astype(np.float32)
        smooth[:, sk.FACE] = self.keypoints[:, sk.FACE]
        return self._moved(smooth)

    def _moved(self, keypoints: np.ndarray) -> "MovingClip":
        return replace(self, track=replace(self.track, keypoints=keypoints))


def load_moving(workspace: Workspace, clips: Sequence[str]) -> list[MovingClip]:
    return [
        MovingClip(load_track(workspace.poses(clip)), AudioFeatures.load(workspace.audio(clip)).mel) for clip in clips
    ]
