"""Clips as Wan's codec packs them: latents of whole windows, their skeletons, and single frames as references.

Axes: W windows, R references, C latent channels, T latent frames, F video frames, K keypoints, h w latent cells.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from cospeech.artifacts import Prompts, WindowLatents
from cospeech.datasets.loss_weights import CellWeights, cell_weights
from cospeech.models.autoencoders.wan_vae import WanCodec, join_control
from cospeech.models.transformers.wan import WanCondition
from cospeech.pose.track import PoseTrack
from cospeech.utils.images import evenly_spaced, to_tensor
from cospeech.utils.json_types import JSONValue
from cospeech.utils.latent_frames import latent_groups


@dataclass(frozen=True)
class WanClip:
    """A `datasets.windows.Clip`. weights_Fhw: weights of errors in every video frame.

    mask_cells: channels of VACE's mask. stride: video frames of a latent frame.
    """

    clip: str
    speaker: str
    track: PoseTrack
    encoded: WindowLatents
    prompts: Prompts
    weights_Fhw: np.ndarray
    mask_cells: int
    stride: int

    def __len__(self) -> int:
        return self.encoded.length

    @property
    def cells(self) -> tuple[int, int]:
        height, width = self.encoded.pictures.shape[2:]
        return height, width

    def starts(self, frames: int) -> Sequence[int]:
        """Windows; else only the first frame, of a clip that was encoded whole."""
        if frames == self.encoded.frames:
            return self.encoded.starts.tolist()
        return [0] if self._latent_count(frames) in range(1, self.encoded.whole.shape[1] + 1) else []

    @property
    def references(self) -> Sequence[int]:
        return self.encoded.references.tolist()

    def latents(self, frames: slice) -> torch.Tensor:
        return torch.from_numpy(self._cut(frames, self.encoded.latents, self.encoded.whole)).float()

    def weights(self, frames: slice) -> torch.Tensor:
        """What counts in one of the video frames of a latent frame counts in it."""
        part = self.weights_Fhw[frames]
        groups = latent_groups(len(part), self.stride)
        return torch.from_numpy(np.stack([part[start:stop].max(0) for start, stop in groups]))

    def condition(self, frames: slice, reference: int, seed: int = 0) -> WanCondition:
        still = torch.from_numpy(self.encoded.pictures[self._reference(reference)]).float()
        redrawn = torch.from_numpy(self._cut(frames, self.encoded.pose, self.encoded.whole_pose)).float()
        kept = torch.from_numpy(self.encoded.empty[:, : redrawn.shape[1]]).float()
        noise = torch.randn(still.shape, generator=torch.Generator().manual_seed(seed))
        return WanCondition(
            join_control(still[None], kept[None], redrawn[None], self.mask_cells),
            torch.from_numpy(self.prompts.positive)[None],
            noise[None],
            torch.from_numpy(self.prompts.negative)[None],
        )

    def moved(self, frames: slice, pose: torch.Tensor, track: PoseTrack, reference: int) -> "WanClip":
        """The reference is a picture without a skeleton here."""
        poses, whole = self.encoded.pose.copy(), self.encoded.whole_pose.copy()
        self._cut(frames, poses, whole)[:] = pose.cpu().numpy()
        encoded = replace(self.encoded, pose=poses, whole_pose=whole)
        return replace(self, encoded=encoded, track=track)

    def coded_by(self, codec: object) -> "WanClip":
        return self

    def _cut(self, frames: slice, windows: np.ndarray, whole: np.ndarray) -> np.ndarray:
        """What lies in a window or at the beginning of the clip; not a copy."""
        count = frames.stop - frames.start
        if frames.start not in self.starts(count):
            starts = self.encoded.starts.tolist()
            raise ValueError(
                f"{self.clip}: frames {frames.start} to {frames.stop} are not an encoded window; there are those of "
                f"{self.encoded.frames} frames from {', '.join(map(str, starts)) or 'nowhere'}, and of the clip from "
                f"its first frame on {self.encoded.whole.shape[1]} latent frames"
            )
        if count == self.encoded.frames:
            return windows[self.encoded.starts.tolist().index(frames.start)]
        return whole[:, : self._latent_count(count)]

    def _latent_count(self, frames: int) -> int:
        """0 where they do not fill latent frames."""
        return 0 if (frames - 1) % self.stride else 1 + (frames - 1) // self.stride

    def _reference(self, frame: int) -> int:
        if frame not in self.references:
            raise ValueError(f"{self.clip}: frame {frame} is not encoded as a reference; there are {self.references}")
        return self.references.index(frame)


def make_clip(
    clip: str, speaker: str, encoded: WindowLatents, track: PoseTrack, prompts: Prompts,
    codec: Mapping[str, JSONValue], weights: CellWeights,
) -> WanClip:  # fmt: skip
    """codec: configuration of Wan's codec.

    Raises:
        ValueError: latents and poses do not have the same frames.
    """
    if encoded.length != len(track):
        raise ValueError(
            f"{clip}: latents of a clip of {encoded.length} frames but {len(track)} of poses; run dvc repro"
        )
    height, width = encoded.pictures.shape[2:]
    cells = cell_weights(track, (height, width), weights)
    mask_cells, stride = codec["scale_factor_spatial"] ** 2, codec["scale_factor_temporal"]
    return WanClip(clip, speaker, track, encoded, prompts, cells, mask_cells, stride)


def encode_windows(
    codec: WanCodec,
    frames_FHW3: np.ndarray,
    skeletons_FHW3: np.ndarray,
    window: int,
    windows: int,
    references: int,
    whole: bool,
    device: torch.device,
) -> WindowLatents:
    """A clip: `windows` windows of `window` frames and `references` references, evenly spread; fewer where it is
    shorter (no window at all, if it is shorter than one). The first frame is always a reference, the middle of the
    clip a window if `windows` is odd. whole: also all of the clip, but for last frames that do not fill a latent
    frame."""

    def encode(pictures: np.ndarray) -> np.ndarray:
        return codec.encode_video(to_tensor(pictures).to(device)).cpu().numpy()

    length = len(frames_FHW3)
    starts = window_starts(length - window + 1, windows)
    chosen = evenly_spaced(length, references)
    longest = 1 + (length - 1) // codec.stride * codec.stride if whole else 0
    grey = torch.zeros(max(window, longest), 3, *frames_FHW3.shape[1:3], device=device)
    empty = codec.encode_video(grey).cpu().numpy()
    parts = [slice(start, start + window) for start in starts.tolist()]
    none, nowhere = empty[:, :0], empty[None, :, : len(latent_groups(window, codec.stride))][:0]
    return WindowLatents(
        length=length,
        frames=window,
        starts=starts,
        latents=np.stack([encode(frames_FHW3[part]) for part in parts]) if parts else nowhere,
        pose=np.stack([encode(skeletons_FHW3[part]) for part in parts]) if parts else nowhere,
        whole=encode(frames_FHW3[:longest]) if whole else none,
        whole_pose=encode(skeletons_FHW3[:longest]) if whole else none,
        empty=empty,
        references=chosen,
        pictures=codec.encode_pictures(to_tensor(frames_FHW3[chosen]).to(device)).cpu().numpy(),
    )


def window_starts(length: int, count: int) -> np.ndarray:
    """`spread`, but a single one is the middle."""
    if length < 1:
        return np.zeros(0, int)
    return np.array([(length - 1) // 2]) if count == 1 else evenly_spaced(length, count)
