"""The two families of networks: the embedded one, small and trained here, and Wan 2.1 for people with GPUs.

What is common to both is in the stages; what differs is asked of a family. `pick_family` is where params decide.

Axes: C latent channels, T latent frames, F video frames, H W pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from stages.lib.artifacts import Curated, Latents
from stages.lib.cell_weights import CellWeights
from stages.lib.dataset import Clip, load_clip, load_clips
from stages.lib.nets.codec import Codec
from stages.lib.nets.denoiser import Denoiser
from stages.lib.nets.interface import DenoisingNet, VideoCodec
from stages.lib.nets.pose_encoder import PoseEncoder
from stages.lib.nets.precision import Precision
from stages.lib.pixels import to_tensor
from stages.lib.workspace import Workspace

_BATCH = 16


@dataclass(frozen=True)
class WanSettings:
    """Section `wan` of the parameters; see stages/params."""

    hub: bool
    teacher: str
    student: str
    frames: int
    prompt: str
    negative_prompt: str
    guidance: float
    windows: int
    references: int
    teacher_rank: int
    student_rank: int
    critic_rank: int
    checkpointing: bool


class ClipEncoder(Protocol):
    def encode(self, frames: np.ndarray, skeletons: np.ndarray, whole: bool = False) -> Any:
        """An artifact with `save(path)`, of frames and skeletons (F, H, W, 3) uint8. whole: it is to be drawn in
        stretches of more than a window, too."""

    def first(self, encoded: Any) -> torch.Tensor:
        """The first frame decoded again: (1, 3, H, W)."""


class PoseInput(Protocol):
    def encode(self, pictures_BCHW: torch.Tensor) -> torch.Tensor:
        """Skeleton pictures (F, 3, H, W) in 0..1 to what denoisers take."""


class Family(Protocol):
    def codec(self, workspace: Workspace, device: torch.device) -> VideoCodec:
        """Frozen."""

    def encoder(self, workspace: Workspace, device: torch.device) -> ClipEncoder: ...

    def pose_input(self, workspace: Workspace, device: torch.device) -> PoseInput: ...

    def clips(self, workspace: Workspace, curated: Curated, split: str, weights: CellWeights) -> list[Any]:
        """The kept clips of `split` (train or test), in manifest order."""

    def clip(self, workspace: Workspace, clip: str, speaker: str, weights: CellWeights) -> Clip: ...

    def pretrained(self, device: torch.device) -> DenoisingNet | None:
        """The family's own pretrained teacher, ready to train if it is to; None: the stage makes one."""

    def load(self, workspace: Workspace, name: str, device: torch.device, guided: bool = False) -> DenoisingNet:
        """models/NAME. guided: as a teacher that draws; it then follows its prompt more closely where there is one."""

    def learner(self, workspace: Workspace, name: str, device: torch.device) -> DenoisingNet:
        """The same, to be trained further."""

    def given(self, workspace: Workspace) -> dict[str, Path]:
        """Parts that every export has, by the names that they have there: folders of models, files."""

    def added(self, workspace: Workspace) -> dict[str, Path]:
        """Parts that older exports, made before there was such a part, do without."""

    def student(self, workspace: Workspace, device: torch.device) -> DenoisingNet:
        """What the student starts as, ready to train."""

    def critic(self, workspace: Workspace, teacher: DenoisingNet, device: torch.device) -> DenoisingNet:
        """What the critic starts as, ready to train; `teacher` is the frozen one beside it."""


def pick_family(wan: Mapping[str, Any] | None, precision: Precision = "fp32", seed: int = 0) -> Family:
    """wan: section `wan` of the parameters. precision, seed: of what is trained or draws."""
    if wan is None:
        return Embedded()
    from stages.lib.wan.family import WanFamily

    return WanFamily(WanSettings(**wan), precision, seed)


@dataclass(frozen=True)
class _PictureEncoder:
    codec: Codec
    poses: PoseEncoder
    device: torch.device

    @torch.no_grad()
    def encode(self, frames: np.ndarray, skeletons: np.ndarray, whole: bool = False) -> Latents:
        latents, pose = [], []
        for start in range(0, len(frames), _BATCH):
            part = slice(start, start + _BATCH)
            latents.append(self.codec.encode(to_tensor(frames[part]).to(self.device)).cpu())
            drawn = (to_tensor(skeletons[part]) + 1) / 2
            pose.append(self.poses.encode(drawn.to(self.device)).cpu())
        return Latents(torch.cat(latents).numpy().astype(np.float16), torch.cat(pose).numpy().astype(np.float16))

    @torch.no_grad()
    def first(self, encoded: Latents) -> torch.Tensor:
        return self.codec.decode(torch.from_numpy(encoded.latents[:1]).float().to(self.device))


@dataclass(frozen=True)
class Embedded:
    """A latent frame a video frame; all weights of a model learn."""

    def codec(self, workspace: Workspace, device: torch.device) -> Codec:
        codec = Codec.from_pretrained(workspace.model("codec") / "image").to(device)
        return codec.eval().requires_grad_(False)

    def encoder(self, workspace: Workspace, device: torch.device) -> _PictureEncoder:
        return _PictureEncoder(self.codec(workspace, device), self.pose_input(workspace, device), device)

    def pose_input(self, workspace: Workspace, device: torch.device) -> PoseEncoder:
        return PoseEncoder.from_pretrained(workspace.model("codec") / "pose").to(device).eval()

    def clips(self, workspace: Workspace, curated: Curated, split: str, weights: CellWeights) -> list[Any]:
        return load_clips(workspace, curated, split, weights)

    def clip(self, workspace: Workspace, clip: str, speaker: str, weights: CellWeights) -> Clip:
        return load_clip(workspace, clip, speaker, weights)

    def pretrained(self, device: torch.device) -> None:
        return None

    def load(self, workspace: Workspace, name: str, device: torch.device, guided: bool = False) -> Denoiser:
        return Denoiser.from_pretrained(workspace.model(name)).to(device).eval().requires_grad_(False)

    def learner(self, workspace: Workspace, name: str, device: torch.device) -> Denoiser:
        return Denoiser.from_pretrained(workspace.model(name)).to(device).thaw()

    def given(self, workspace: Workspace) -> dict[str, Path]:
        codec = workspace.model("codec")
        return {"student": workspace.model("student"), "codec": codec / "image", "pose_encoder": codec / "pose"}

    def added(self, workspace: Workspace) -> dict[str, Path]:
        return {"deformer": workspace.model("deformer"), workspace.ranges.name: workspace.ranges}

    def student(self, workspace: Workspace, device: torch.device) -> Denoiser:
        return self.learner(workspace, "adapted_teacher", device)

    def critic(self, workspace: Workspace, teacher: DenoisingNet, device: torch.device) -> Denoiser:
        return self.learner(workspace, "adapted_teacher", device)
