"""The two families of networks: the embedded one, small and trained here, and Wan 2.1 for people with GPUs.

What is common to both is in the stages; what differs is asked of a family. `pick_family` is where params decide.

Axes: C latent channels, T latent frames, F video frames, H W pixels.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from cospeech.artifacts import Curated
from cospeech.datasets.loss_weights import CellWeights
from cospeech.datasets.windows import Clip
from cospeech.harness.workspace import Workspace
from cospeech.models.common.protocols import DenoisingNet, VideoCodec


class EncodedClip(Protocol):
    @property
    def channels(self) -> int:
        """Of the latents."""

    def save(self, path: Path) -> None: ...


Encoded = TypeVar("Encoded", bound=EncodedClip)


class ClipEncoder(Protocol[Encoded]):
    def encode(self, frames: np.ndarray, skeletons: np.ndarray, whole: bool = False) -> Encoded:
        """Of frames and skeletons (F, H, W, 3) uint8. whole: it is to be drawn in stretches of more than a window,
        too."""

    def first(self, encoded: Encoded) -> torch.Tensor:
        """The first frame decoded again: (1, 3, H, W)."""


class PoseInput(Protocol):
    def encode(self, pictures_BCHW: torch.Tensor) -> torch.Tensor:
        """Skeleton pictures (F, 3, H, W) in 0..1 to what denoisers take."""


class Family(Protocol):
    def codec(self, workspace: Workspace, device: torch.device) -> VideoCodec:
        """Frozen."""

    def encoder(self, workspace: Workspace, device: torch.device) -> ClipEncoder[Any]:  # each family has its own kind
        """On that device, frozen."""

    def pose_input(self, workspace: Workspace, device: torch.device) -> PoseInput: ...

    def clips(self, workspace: Workspace, curated: Curated, split: str, weights: CellWeights) -> Sequence[Clip]:
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
