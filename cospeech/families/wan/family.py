"""Wan 2.1 behind the interface of `cospeech.families.base`: frozen pretrained weights, low-rank updates that learn."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan

from cospeech.artifacts import Curated, Prompts, WindowLatents
from cospeech.datasets.loss_weights import CellWeights
from cospeech.families.wan.clips import WanClip, encode_windows, make_clip
from cospeech.families.wan.config import WanSettings
from cospeech.families.wan.fetch import fetch
from cospeech.harness.workspace import Workspace
from cospeech.models.autoencoders.wan_vae import PROMPTS, WanCodec
from cospeech.models.common.protocols import DenoisingNet
from cospeech.models.transformers.lora import add_lora
from cospeech.models.transformers.wan import WanNet, WanStudent, WanTeacher, load_student, load_teacher
from cospeech.pose.track_file import load_track
from cospeech.utils.precision import Precision

Net = TypeVar("Net", bound=WanNet)


@dataclass(frozen=True)
class _WindowEncoder:
    codec: WanCodec
    settings: WanSettings
    device: torch.device

    def encode(self, frames: np.ndarray, skeletons: np.ndarray, whole: bool = False) -> WindowLatents:
        wanted = self.settings
        how = wanted.frames, wanted.windows, wanted.references
        return encode_windows(self.codec, frames, skeletons, *how, whole, self.device)

    @torch.no_grad()
    def first(self, encoded: WindowLatents) -> torch.Tensor:
        picture = torch.from_numpy(encoded.pictures[0]).float().to(self.device)
        return self.codec.decode_video(picture[:, None])


@dataclass(frozen=True)
class _SkeletonVideo:
    """Wan reads skeletons through its codec."""

    codec: WanCodec

    def encode(self, pictures_BCHW: torch.Tensor) -> torch.Tensor:
        return self.codec.encode_video(pictures_BCHW * 2 - 1)


@dataclass(frozen=True)
class WanFamily:
    settings: WanSettings
    precision: Precision
    seed: int

    @property
    def dtype(self) -> torch.dtype:
        """Of frozen weights."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    def codec(self, workspace: Workspace, device: torch.device) -> WanCodec:
        folder = workspace.model("codec") / "vae"
        if not folder.is_dir():
            raise ValueError(f"{folder}: no codec of Wan's; run the stage train_codec (dvc repro)")
        return WanCodec.from_pretrained(folder).to(device)

    def encoder(self, workspace: Workspace, device: torch.device) -> _WindowEncoder:
        return _WindowEncoder(self.codec(workspace, device), self.settings, device)

    def pose_input(self, workspace: Workspace, device: torch.device) -> _SkeletonVideo:
        return _SkeletonVideo(self.codec(workspace, device))

    def clips(self, workspace: Workspace, curated: Curated, split: str, weights: CellWeights) -> list[WanClip]:
        return [self.clip(workspace, clip, curated.speaker(clip), weights) for clip in curated.clips(split)]

    def clip(self, workspace: Workspace, clip: str, speaker: str, weights: CellWeights) -> WanClip:
        prompts = Prompts.load(workspace.model("codec") / PROMPTS)
        encoded, track = WindowLatents.load(workspace.latents(clip)), load_track(workspace.poses(clip))
        config = AutoencoderKLWan.load_config(workspace.model("codec") / "vae")
        return make_clip(clip, speaker, encoded, track, prompts, config, weights)

    def pretrained(self, device: torch.device) -> WanTeacher:
        """It learns low-rank updates if its rank is not 0."""
        settings = self.settings
        teacher = fetch(settings, "teacher", lambda: load_teacher(settings.teacher, 1.0, self.dtype, settings.hub))
        return self._learning(teacher.to(device), settings.teacher_rank, 1)

    def load(self, workspace: Workspace, name: str, device: torch.device, guided: bool = False) -> WanNet:
        folder = workspace.model(name)
        if name == "student":
            net: WanNet = load_student(folder, self.dtype)
        else:
            net = load_teacher(folder, self.settings.guidance if guided else 1.0, self.dtype)
        net = net.to(device).eval()
        net.requires_grad_(False)
        return net

    def learner(self, workspace: Workspace, name: str, device: torch.device) -> WanNet:
        return self._learning(self.load(workspace, name, device), self.settings.teacher_rank, 2)

    def given(self, workspace: Workspace) -> dict[str, Path]:
        codec = workspace.model("codec")
        return {"student": workspace.model("student"), "codec": codec / "vae", PROMPTS: codec / PROMPTS}

    def added(self, workspace: Workspace) -> dict[str, Path]:
        return {}

    def student(self, workspace: Workspace, device: torch.device) -> WanStudent:
        settings = self.settings
        student = fetch(settings, "student", lambda: load_student(settings.student, self.dtype, settings.hub))
        return self._learning(student.to(device), settings.student_rank, 3)

    def critic(self, workspace: Workspace, teacher: DenoisingNet, device: torch.device) -> WanTeacher:
        """Low-rank updates over the teacher's own weights, which are in memory once; it takes no guidance."""
        assert isinstance(teacher, WanTeacher)
        critic = teacher.share()
        critic.guidance = 1.0
        return self._learning(critic, self.settings.critic_rank, 4)

    def _learning(self, net: Net, rank: int, number: int) -> Net:
        """number: of the model, so that no two draw the same first updates."""
        net.requires_grad_(False)
        if rank > 0:
            add_lora(net, rank, 100 * self.seed + number)
            if self.settings.checkpointing:
                net.checkpoint_blocks()
        return net
