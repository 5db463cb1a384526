"""Encoded clips in memory, and windows drawn from them.

Axes: B batch, C latent channels, P pose channels, T frames, K keypoints, h w latent cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch

from cospeech.artifacts import Curated, Latents
from cospeech.datasets.loss_weights import CellWeights, cell_weights
from cospeech.harness.distributed import SINGLE_PROCESS, ProcessGroup
from cospeech.harness.workspace import Workspace
from cospeech.models.autoencoders.codec import Codec
from cospeech.models.common.protocols import VideoCodec
from cospeech.models.common.tensor_record import WindowCondition
from cospeech.models.transformers.denoiser import Condition
from cospeech.models.warping.deformer import Deformer
from cospeech.models.warping.warp import Warper
from cospeech.pose.track import PoseTrack
from cospeech.pose.track_file import load_track


class Clip(Protocol):
    """An encoded clip, of either family. Frames are video frames; a codec may pack several into a latent frame."""

    @property
    def clip(self) -> str: ...

    @property
    def speaker(self) -> str: ...

    @property
    def track(self) -> PoseTrack: ...

    def __len__(self) -> int: ...

    @property
    def cells(self) -> tuple[int, int]:
        """Latent cells down and across."""

    @property
    def stride(self) -> int:
        """Video frames of a latent frame (but the first, which holds one)."""

    def starts(self, frames: int) -> Sequence[int]:
        """Where windows of so many frames may start."""

    @property
    def references(self) -> Sequence[int]:
        """The frames that a window may be drawn from."""

    def latents(self, frames: slice) -> torch.Tensor:
        """(C, T, h, w) float32."""

    def weights(self, frames: slice) -> torch.Tensor:
        """(T, h, w) float32, how much an error counts."""

    def condition(self, frames: slice, reference: int, seed: int = 0) -> WindowCondition:
        """For a batch of one window. seed: of what the condition draws by chance."""

    def moved(self, frames: slice, pose: torch.Tensor, track: PoseTrack, reference: int) -> "Clip":
        """The same person moving otherwise: track of the whole clip, pose of `frames` as the family encodes skeletons;
        the frame `reference` stays as it is."""

    def coded_by(self, codec: VideoCodec) -> "Clip":
        """The same, where its conditions take a codec with this one."""


@dataclass(frozen=True)
class ClipTensors:
    """One clip. Latents and pose float16 as on disk; weights (T, h, w) float16.

    codec, deformer: deform references to poses (`models.warping`); no codec: conditions come without that.
    """

    clip: str
    speaker: str
    latents_TChw: torch.Tensor
    pose_TPhw: torch.Tensor
    track: PoseTrack
    weights_Thw: torch.Tensor
    codec: Codec | None = None
    deformer: Deformer | None = None

    def __len__(self) -> int:
        return len(self.latents_TChw)

    @property
    def cells(self) -> tuple[int, int]:
        height, width = self.latents_TChw.shape[2:]
        return height, width

    @property
    def stride(self) -> int:
        return 1

    def starts(self, frames: int) -> range:
        return range(len(self) - frames + 1)

    @property
    def references(self) -> range:
        return range(len(self))

    def latents(self, frames: slice) -> torch.Tensor:
        return self.latents_TChw[frames].float().transpose(0, 1)

    def weights(self, frames: slice) -> torch.Tensor:
        return self.weights_Thw[frames].float()

    def condition(self, frames: slice, reference: int, seed: int = 0) -> Condition:
        """For a batch of one window; nothing in it is left to chance."""
        return Condition(
            self.pose_TPhw[frames].float().transpose(0, 1)[None],
            self.latents_TChw[reference].float()[None],
            self.pose_TPhw[reference].float()[None],
            None if self.codec is None else self._warped(self.codec, frames, reference)[None],
        )

    def moved(self, frames: slice, pose: torch.Tensor, track: PoseTrack, reference: int) -> "ClipTensors":
        assert track.size == self.track.size, (track.size, self.track.size)
        poses, keypoints = self.pose_TPhw.clone(), track.keypoints.copy()
        poses[frames] = pose.to(poses)
        poses[reference], keypoints[reference] = self.pose_TPhw[reference], self.track.keypoints[reference]
        return replace(self, pose_TPhw=poses, track=replace(track, keypoints=keypoints))

    def coded_by(self, codec: VideoCodec) -> "ClipTensors":
        assert isinstance(codec, Codec), f"a {type(codec).__name__} cannot deform references"
        return self if self.codec is None else replace(self, codec=codec)

    def _warped(self, codec: Codec, frames: slice, reference: int) -> torch.Tensor:
        warper = Warper(codec, self.deformer, self.latents_TChw[reference], self.track[[reference]])
        return warper.warp(self.track[frames])


@dataclass(frozen=True)
class Window:
    """Where a window of a batch lies: frames `start` to `stop` of a clip, drawn from its frame `reference`."""

    clip: Clip
    start: int
    stop: int
    reference: int
    seed: int = 0

    @property
    def frames(self) -> slice:
        return slice(self.start, self.stop)

    @property
    def track(self) -> PoseTrack:
        """Of its video frames."""
        return self.clip.track[self.frames]

    @property
    def latents(self) -> torch.Tensor:
        """(C, T, h, w) float32."""
        return self.clip.latents(self.frames)

    @property
    def condition(self) -> WindowCondition:
        """For a batch of one."""
        return self.clip.condition(self.frames, self.reference, self.seed)


def middle_window(clip: Clip, frames: int, reference: int = 0) -> Window:
    """The `frames` frames in the middle of a clip, all of it if it is shorter, or what is nearest to them."""
    frames = 1 + (min(frames, len(clip)) - 1) // clip.stride * clip.stride
    start = min(clip.starts(frames), key=lambda start: abs(start - (len(clip) - frames) // 2), default=None)
    if start is None:
        raise ValueError(f"{clip.clip}: no window of {frames} frames of it is encoded; run dvc repro")
    return Window(clip, start, start + frames, reference)


def longest_window(clip: Clip, reference: int = 0) -> Window:
    """All of a clip, or as much as is encoded in one piece."""
    windows = [(start, count) for count in range(len(clip), 0, -1) for start in clip.starts(count)]
    if not windows:
        raise ValueError(f"{clip.clip}: no window of it is encoded; run dvc repro")
    start, count = windows[0]
    return Window(clip, start, start + count, reference)


@dataclass(frozen=True)
class Batch:
    windows: Sequence[Window]
    latents_BCThw: torch.Tensor
    condition: WindowCondition
    weights_BThw: torch.Tensor

    def to(self, device: torch.device) -> "Batch":
        return Batch(
            self.windows, self.latents_BCThw.to(device), self.condition.to(device), self.weights_BThw.to(device)
        )


def load_clips(workspace: Workspace, curated: Curated, split: str, weights: CellWeights) -> list[ClipTensors]:
    """The kept clips of `split` (train or test), in manifest order."""
    warping = load_warping(workspace)
    return [load_clip(workspace, clip, curated.speaker(clip), weights, warping) for clip in curated.clips(split)]


Warping = tuple[Codec | None, Deformer | None]
"""What deforms references; None: not trained yet."""


def load_warping(workspace: Workspace) -> Warping:
    codec, deformer = workspace.model("codec") / "image", workspace.model("deformer")
    return (
        Codec.from_pretrained(codec).eval().requires_grad_(False) if codec.is_dir() else None,
        Deformer.from_pretrained(deformer).eval().requires_grad_(False) if deformer.is_dir() else None,
    )


def load_clip(
    workspace: Workspace, clip: str, speaker: str, weights: CellWeights, warping: Warping | None = None
) -> ClipTensors:
    """`warping` None: that of the workspace.

    Raises:
        ValueError: latents and poses do not have the same frames.
    """
    encoded, track = Latents.load(workspace.latents(clip)), load_track(workspace.poses(clip))
    if len(encoded.latents) != len(track):
        raise ValueError(f"{clip}: {len(encoded.latents)} frames of latents but {len(track)} of poses; run dvc repro")
    height, width = encoded.latents.shape[2:]
    cells = cell_weights(track, (height, width), weights)
    latents, pose = torch.from_numpy(encoded.latents), torch.from_numpy(encoded.pose)
    return ClipTensors(
        clip, speaker, latents, pose, track, torch.from_numpy(cells).half(),
        *(load_warping(workspace) if warping is None else warping),
    )  # fmt: skip


def draw_windows(
    clips: Sequence[Clip],
    count: int,
    frames: int,
    generator: torch.Generator,
    process_group: ProcessGroup = SINGLE_PROCESS,
) -> Batch:
    """`count` windows of `frames` frames from random clips, each with a random frame of its clip as reference.

    process_group: the batch holds this process's shard of them.

    Raises:
        ValueError: no clip is that long.
    """
    usable = [(clip, starts) for clip in clips if (starts := clip.starts(frames))]
    if not usable:
        longest = max((len(clip) for clip in clips), default=0)
        raise ValueError(f"no training clip has {frames} frames (the longest of {len(clips)} has {longest})")

    def draw(below: int) -> int:
        return int(torch.randint(below, (1,), generator=generator))

    windows = []
    for _ in range(count):
        clip, starts = usable[draw(len(usable))]
        start = starts[draw(len(starts))]
        reference = clip.references[draw(len(clip.references))]
        windows.append(Window(clip, start, start + frames, reference, draw(2**31) if clip.stride > 1 else 0))
    return collate(process_group.shard(windows))


def collate(windows: Sequence[Window]) -> Batch:
    """Windows of equal length as one batch."""
    conditions = [window.condition for window in windows]
    return Batch(
        windows,
        torch.stack([window.latents for window in windows]),
        type(conditions[0]).join(conditions),
        torch.stack([window.clip.weights(window.frames) for window in windows]),
    )
