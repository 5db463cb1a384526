"""Wan 2.1 as teacher and student: diffusers' models behind the interface of `Denoiser`.

Wan moves along the same straight paths as `stages.lib.sampling`, x_t = (1 - t) x0 + t noise, and predicts the velocity
noise - x0, so x0 = x_t - t v. The teacher is Wan 2.1 VACE: the skeleton video is its control, the reference picture the
first frame of its sequence. The student is a plain Wan 2.1 whose first layer also takes pose and reference as channels.

Axes: B batch, C latent channels, V control channels, T latent frames, L text tokens, E text width, h w latent cells,
F H W frames and pixels of the video.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from diffusers.models.transformers.transformer_wan_vace import WanVACETransformer3DModel
from torch import nn

from ..attention.plan import AttentionPlan
from ..attention.processor import WanSelfAttention

LORA_LAYERS = ("to_q", "to_k", "to_v", "to_out.0", "ffn.net.0.proj", "ffn.net.2")
"""The linear layers of a Wan block."""


@dataclass(frozen=True)
class WanCondition:
    """What a window is drawn from.

    control_BVThw: `encode_control`, of 1 + T frames. text_BLE: the prompt's embedding. negative_BLE: of what guidance
    leads away from; None: no guidance. noise_BChw: of the reference's own place in the teacher's sequence.
    """

    control_BVThw: torch.Tensor
    text_BLE: torch.Tensor
    noise_BChw: torch.Tensor
    negative_BLE: torch.Tensor | None = None

    @property
    def channels(self) -> int:
        return self.noise_BChw.shape[1]

    @property
    def reference(self) -> torch.Tensor:
        return self.control_BVThw[:, : self.channels, 0]

    @property
    def pose(self) -> torch.Tensor:
        return self.control_BVThw[:, self.channels : 2 * self.channels, 1:]

    def to(self, device: torch.device) -> "WanCondition":
        negative = None if self.negative_BLE is None else self.negative_BLE.to(device)
        return WanCondition(
            self.control_BVThw.to(device), self.text_BLE.to(device), self.noise_BChw.to(device), negative
        )

    def frames(self, start: int, stop: int) -> "WanCondition":
        """The same reference with the poses of latent frames `start` to `stop`."""
        still, moving = self.control_BVThw[:, :, :1], self.control_BVThw[:, :, 1 + start : 1 + stop]
        return replace(self, control_BVThw=torch.cat([still, moving], 2))


class WanTeacher(nn.Module):
    """Wan 2.1 VACE, predicting clean latents; under guidance (Ho and Salimans, 2022) where `guidance` is not 1."""

    def __init__(self, transformer: WanVACETransformer3DModel, guidance: float = 1.0) -> None:
        super().__init__()
        self.transformer, self.guidance = transformer, guidance

    def forward(
        self,
        noisy_BCThw: torch.Tensor,
        timestep_B: torch.Tensor,
        condition: WanCondition,
        attention: AttentionPlan | None = None,
    ) -> torch.Tensor:
        """Clean latents (B, C, T, h, w) float32; timestep_B from 1 (noise) to 0.

        Its attention stays dense: all of a frame must see the reference, which is a frame of the sequence; a plan is
        for the student and not looked at here.
        """
        t = timestep_B.view(-1, 1, 1, 1, 1)
        still = torch.lerp(condition.reference, condition.noise_BChw.to(condition.control_BVThw), t[:, 0])
        x_BCThw = torch.cat([still[:, :, None].to(noisy_BCThw), noisy_BCThw], 2)
        velocity = self._velocity(x_BCThw, timestep_B, condition.text_BLE, condition)
        if self.guidance != 1:
            if condition.negative_BLE is None:
                raise ValueError(f"guidance is {self.guidance}, but the condition has no negative prompt")
            away = self._velocity(x_BCThw, timestep_B, condition.negative_BLE, condition)
            velocity = away + self.guidance * (velocity - away)
        return noisy_BCThw.float() - t * velocity[:, :, 1:]

    def _velocity(
        self, x_BCThw: torch.Tensor, timestep_B: torch.Tensor, text_BLE: torch.Tensor, condition: WanCondition
    ) -> torch.Tensor:
        return self.transformer(
            hidden_states=x_BCThw,
            timestep=timestep_B * 1000,
            encoder_hidden_states=text_BLE,
            control_hidden_states=condition.control_BVThw.to(x_BCThw),
            return_dict=False,
        )[0].float()


class WanStudent(nn.Module):
    """A Wan 2.1 transformer (`widen`) under input-aware sparse attention, predicting clean latents."""

    def __init__(self, transformer: WanTransformer3DModel) -> None:
        super().__init__()
        self.transformer = transformer
        self.self_attention = WanSelfAttention()
        for block in transformer.blocks:
            block.attn1.set_processor(self.self_attention)

    def forward(
        self,
        noisy_BCThw: torch.Tensor,
        timestep_B: torch.Tensor,
        condition: WanCondition,
        attention: AttentionPlan | None = None,
    ) -> torch.Tensor:
        """Clean latents (B, C, T, h, w) float32. attention: over T latent frames; None: dense."""
        reference = condition.reference[:, :, None].expand_as(condition.pose)
        x_BCThw = torch.cat([noisy_BCThw, condition.pose.to(noisy_BCThw), reference.to(noisy_BCThw)], 1)
        self.self_attention.plan = attention
        try:
            velocity = self.transformer(x_BCThw, timestep_B * 1000, condition.text_BLE, return_dict=False)[0].float()
        finally:
            self.self_attention.plan = None
        return noisy_BCThw.float() - timestep_B.view(-1, 1, 1, 1, 1) * velocity


def load_teacher(folder: Path, guidance: float, dtype: torch.dtype = torch.float32) -> WanTeacher:
    """From a folder of a diffusers `WanVACEPipeline`, such as Wan-AI/Wan2.1-VACE-1.3B-diffusers."""
    transformer = WanVACETransformer3DModel.from_pretrained(folder, subfolder="transformer", torch_dtype=dtype)
    return WanTeacher(transformer, guidance)


def load_vae(folder: Path) -> AutoencoderKLWan:
    """Its video codec, in float32, frozen."""
    return AutoencoderKLWan.from_pretrained(folder, subfolder="vae").eval().requires_grad_(False)


def load_student(folder: Path, dtype: torch.dtype = torch.float32) -> WanStudent:
    """From a folder of a diffusers `WanPipeline` (its transformer is widened), or of `save_student`."""
    subfolder = "transformer" if (folder / "transformer").is_dir() else None
    base = WanTransformer3DModel.from_pretrained(folder, subfolder=subfolder, torch_dtype=dtype)
    widened = base.config["in_channels"] == 3 * base.config["out_channels"]
    return WanStudent(base if widened else widen(base))


@torch.no_grad()
def widen(base: WanTransformer3DModel) -> WanTransformer3DModel:
    """The same transformer with three times the input channels. The new ones weigh nothing yet: it starts as it was."""
    config = {**base.config, "in_channels": 3 * base.config["in_channels"]}
    wide = WanTransformer3DModel.from_config(config).to(base.dtype)
    weights = base.state_dict()
    more = wide.patch_embedding.in_channels - base.patch_embedding.in_channels
    weights["patch_embedding.weight"] = F.pad(weights["patch_embedding.weight"], (0, 0, 0, 0, 0, 0, 0, more))
    wide.load_state_dict(weights)
    return wide


def add_lora(transformer: WanTransformer3DModel | WanVACETransformer3DModel, rank: int, seed: int) -> None:
    """Freeze a Wan transformer but for low-rank updates (arXiv 2106.09685) of its linear layers and its first layer."""
    from peft import LoraConfig

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        transformer.requires_grad_(False)
        transformer.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(LORA_LAYERS)))
    transformer.patch_embedding.requires_grad_(True)


def save_student(student: WanStudent, folder: Path) -> None:
    """As a plain diffusers transformer, low-rank updates merged into its weights; the student keeps them merged."""
    if getattr(student.transformer, "peft_config", None):
        student.transformer.fuse_lora()
        student.transformer.unload_lora()
    student.transformer.save_pretrained(folder)


@torch.no_grad()
def encode_video(vae: AutoencoderKLWan, video_B3FHW: torch.Tensor) -> torch.Tensor:
    """Frames in -1..1 to latents (B, C, T, h, w) of unit variance; T is 1 + (F - 1) / 4, h and w an eighth of H and W.

    Raises:
        ValueError: F is not one more than a multiple of 4.
    """
    frames, factor = video_B3FHW.shape[2], vae.config["scale_factor_temporal"]
    if (frames - 1) % factor:
        raise ValueError(f"Wan's codec takes 1 frame and then groups of {factor}: {frames} frames do not fit")
    mean, deviation = _statistics(vae)
    return (vae.encode(video_B3FHW.to(vae.dtype)).latent_dist.mode().float() - mean) / deviation


def decode_video(vae: AutoencoderKLWan, latents_BCThw: torch.Tensor) -> torch.Tensor:
    """Latents to frames (B, 3, F, H, W) in -1..1; gradients pass."""
    mean, deviation = _statistics(vae)
    return vae.decode((latents_BCThw * deviation + mean).to(vae.dtype), return_dict=False)[0].float()


def _statistics(vae: AutoencoderKLWan) -> tuple[torch.Tensor, torch.Tensor]:
    def shaped(values: list[float]) -> torch.Tensor:
        return torch.tensor(values, device=vae.device).view(1, -1, 1, 1, 1)

    return shaped(vae.config["latents_mean"]), shaped(vae.config["latents_std"])


def encode_control(vae: AutoencoderKLWan, poses_B3FHW: torch.Tensor, reference_B3HW: torch.Tensor) -> torch.Tensor:
    """What VACE is controlled by: (B, 2 C + M, 1 + T, h, w), as `WanVACEPipeline` prepares it.

    The reference comes first: its latents, nothing, and a mask of 0. Then each latent frame of the skeleton video: what
    is to be kept (nothing: an empty video), what is to be redrawn (all), and a mask of 1 for each pixel of a cell.
    """
    kept, redrawn = encode_video(vae, torch.zeros_like(poses_B3FHW)), encode_video(vae, poses_B3FHW)
    still = encode_video(vae, reference_B3HW[:, :, None])
    cells = vae.config["scale_factor_spatial"] ** 2
    mask = redrawn.new_ones(len(redrawn), cells, *redrawn.shape[2:])
    first = torch.cat([still, torch.zeros_like(still), torch.zeros_like(mask[:, :, :1])], 1)
    return torch.cat([first, torch.cat([kept, redrawn, mask], 1)], 2)
