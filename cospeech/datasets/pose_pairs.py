"""Frames of clips by their poses, to learn how a reference is deformed from one to another.

Axes: N frames, B pictures, K keypoints, S pixels a side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from cospeech.harness.workspace import Workspace
from cospeech.media import read_frames
from cospeech.models.warping.deformer import Deformer
from cospeech.models.warping.geometry import WarpGeometry
from cospeech.models.warping.limb_layers import Pose, hand_layer
from cospeech.models.warping.warp import Layers, cell_centres, stretch_cells, take_apart, warp_picture
from cospeech.pose.track_file import load_track
from cospeech.utils.images import evenly_spaced, to_tensor

_HAND_CELLS = 48
_OFF_HANDS = 0.06
"""Shoulder widths from a hand; nearer than this nothing is asked of the deformed picture, for hands are drawn anew."""
_SHARPNESS = 4e-4
"""Squared error, of -1..1, around which the loss goes over from squares to absolute values (Charbonnier)."""


@dataclass(frozen=True)
class PosedFrames:
    """Of one clip. frames: (N, S, S, 3) uint8. pose: of each frame."""

    frames: np.ndarray
    pose: Pose

    def __len__(self) -> int:
        return len(self.frames)

    def pictures(self, which: torch.Tensor | slice) -> torch.Tensor:
        """(B, 3, S, S) in -1..1."""
        return to_tensor(self.frames[which])


def load_posed(workspace: Workspace, clip: str, count: int, size: int) -> PosedFrames:
    """At most `count` frames, evenly spread, with `size` pixels a side."""
    track, frames = load_track(workspace.poses(clip)), read_frames(workspace.video(clip))
    kept = evenly_spaced(len(frames), count)
    small = np.stack([cv2.resize(frames[index], (size, size), interpolation=cv2.INTER_AREA) for index in kept])
    points = torch.from_numpy(np.ascontiguousarray(track[kept].normalized, dtype=np.float32))
    return PosedFrames(small, Pose(torch.view_as_complex(points), torch.from_numpy(track[kept].found)))


@dataclass(frozen=True)
class Pairs:
    """Pictures to deform and what they should look like: B of all, on one device."""

    layers: Layers
    still: Pose
    posed: Pose
    real_B3SS: torch.Tensor

    def deformed(self, deformer: Deformer | None) -> torch.Tensor:
        """(B, 3, S, S) in -1..1."""
        offsets = None if deformer is None else deformer(self.still, self.posed)
        return warp_picture(self.layers, self.still, self.posed, offsets)

    def error(self, deformer: Deformer) -> torch.Tensor:
        """The loss: mean distance of pixels that are no hands, of 0..1."""
        square_BSS = (self.deformed(deformer) - self.real_B3SS).square().mean(1)
        centres = cell_centres(_HAND_CELLS, square_BSS.device)
        _, distance_BN = hand_layer(centres, self.still, self.posed, deformer.geometry)
        distance_BSS = stretch_cells(distance_BN.unflatten(1, (_HAND_CELLS, -1)), square_BSS.shape[-2:])
        counted_BSS = (distance_BSS > _OFF_HANDS).float()
        return ((square_BSS + _SHARPNESS).sqrt() * counted_BSS).sum() / (2 * counted_BSS.sum().clamp(min=1))


def pair_up(
    clips: Sequence[PosedFrames],
    references: Sequence[int],
    others: Sequence[torch.Tensor],
    geometry: WarpGeometry,
    device: torch.device,
) -> Pairs:
    """Frame `references[i]` of clip i with each of its frames `others[i]`; equally many of each clip.

    geometry: of the deformer that is to be trained or tested.
    """
    chosen = [(clip, slice(first, first + 1)) for clip, first in zip(clips, references, strict=True)]
    still = _join([clip.pose[first] for clip, first in chosen], device)
    layers = take_apart(torch.cat([clip.pictures(first) for clip, first in chosen]).to(device), still, geometry)
    times, paired = len(others[0]), list(zip(clips, others, strict=True))
    return Pairs(
        layers.each(times),
        still.each(times),
        _join([clip.pose[other] for clip, other in paired], device),
        torch.cat([clip.pictures(other) for clip, other in paired]).to(device),
    )


def draw_pairs(
    clips: Sequence[PosedFrames],
    references: int,
    poses: int,
    generator: torch.Generator,
    geometry: WarpGeometry,
    device: torch.device,
) -> Pairs:
    """`references` random frames of random clips, each with `poses` random frames of its clip."""
    chosen = [clips[_below(len(clips), generator)] for _ in range(references)]
    first = [_below(len(clip), generator) for clip in chosen]
    others = [torch.randint(len(clip), (poses,), generator=generator) for clip in chosen]
    return pair_up(chosen, first, others, geometry, device)


def _below(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (1,), generator=generator))


def _join(poses: Sequence[Pose], device: torch.device) -> Pose:
    points, seen = (torch.cat([getattr(pose, name) for pose in poses]).to(device) for name in ("points_BK", "seen_BK"))
    return Pose(points, seen)
