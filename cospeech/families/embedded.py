"""The embedded family: small networks, trained here.

Axes: C latent channels, T latent frames, F video frames, H W pixels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cospeech.artifacts import Curated, Latents
from cospeech.datasets.loss_weights import CellWeights
from cospeech.datasets.windows import ClipTensors, load_clip, load_clips
from cospeech.harness.workspace import Workspace
from cospeech.models.autoencoders.codec import Codec
from cospeech.models.autoencoders.pose_encoder import PoseEncoder
from cospeech.models.common.protocols import DenoisingNet
from cospeech.models.transformers.denoiser import Denoiser
from cospeech.utils.images import to_tensor

_BATCH = 16


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

    def clips(self, workspace: Workspace, curated: Curated, split: str, weights: CellWeights) -> list[ClipTensors]:
        return load_clips(workspace, curated, split, weights)

    def clip(self, workspace: Workspace, clip: str, speaker: str, weights: CellWeights) -> ClipTensors:
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
