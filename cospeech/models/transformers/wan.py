"""Wan 2.1 as teacher and student: diffusers' models behind the interface of `Denoiser`.

Wan moves along the same straight paths as `sampling.euler`, x_t = (1 - t) x0 + t noise, and predicts the velocity
noise - x0, so x0 = x_t - t v. The teacher is Wan 2.1 VACE: the skeleton video is its control, the reference picture the
first frame of its sequence. The student is a plain Wan 2.1 whose first layer also takes pose and reference as channels.

Axes: B batch, C latent channels, V control channels, T latent frames, L text tokens, E text width, h w latent cells.
"""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from ...attention.kv_cache import StreamStep
from ...attention.plan import AttentionPlan
from ...attention.processors import WanSelfAttention, set_self_attention
from ...attention.rotary import wan_positions
from ..common.protocols import DenoisingNet
from ..common.tensor_record import WindowCondition

if TYPE_CHECKING:  # with all transformers of diffusers, which take as long as torch
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
    from diffusers.models.transformers.transformer_wan_vace import WanVACETransformer3DModel

Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class WanCondition(WindowCondition):
    """What a window is drawn from.

    control_BVThw: `join_control`, of 1 + T frames. text_BLE: the prompt's embedding. negative_BLE: of what guidance
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

    def frames(self, start: int, stop: int) -> "WanCondition":
        still, moving = self.control_BVThw[:, :, :1], self.control_BVThw[:, :, 1 + start : 1 + stop]
        return replace(self, control_BVThw=torch.cat([still, moving], 2))


class WanNet(DenoisingNet):
    """What teacher and student share. first_layer: whether it learns too, beside low-rank updates."""

    first_layer = False
    transformer: "WanTransformer3DModel | WanVACETransformer3DModel"

    def __init__(self, transformer: "WanTransformer3DModel | WanVACETransformer3DModel") -> None:
        super().__init__()
        self.transformer = transformer
        self.self_attention = WanSelfAttention()
        set_self_attention(transformer, self.self_attention)

    @property
    def patch(self) -> int:
        return int(self.transformer.config["patch_size"][1])

    def thaw(self) -> Self:
        self.train().requires_grad_(False)
        for name, weight in self.transformer.named_parameters():
            if "lora_" in name or (self.first_layer and name.startswith("patch_embedding.")):
                weight.requires_grad_(True)
        return self

    def checkpoint_blocks(self) -> Self:
        """Keep only what goes into each block for the backward pass, and compute the block again there."""
        self.transformer.enable_gradient_checkpointing(_Checkpointed(self.self_attention))
        return self

    def share(self) -> Self:
        """Another of these over the same weights, in the same memory; what is added to one is not in the other."""
        return copy.deepcopy(self, {id(weight): weight for weight in self.parameters()})

    def save_pretrained(self, folder: Path) -> None:
        """As a plain transformer of diffusers, low-rank updates merged into its weights; they stay merged here."""
        if getattr(self.transformer, "peft_config", None):
            self.transformer.fuse_lora()
            self.transformer.unload_lora()
        self.transformer.save_pretrained(folder)
        path = folder / "config.json"  # without the folder that it was loaded from: equal models give equal bytes
        config = {name: value for name, value in json.loads(path.read_text()).items() if name != "_name_or_path"}
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    def _under(
        self, plan: AttentionPlan | StreamStep | None, *arguments: torch.Tensor, **named: torch.Tensor
    ) -> torch.Tensor:
        """The transformer's velocity, (B, C, T, h, w) float32."""
        self.self_attention.plan = plan
        try:
            return self.transformer(*arguments, **named, return_dict=False)[0].float()
        finally:
            self.self_attention.plan = None


class _Checkpointed:
    """Blocks are computed again during backward, when the plan of the call is no longer set: it is set again."""

    def __init__(self, attention: WanSelfAttention) -> None:
        self.attention = attention

    def __call__(self, block: nn.Module, *arguments: object) -> object:
        plan = self.attention.plan

        def run(*arguments: object) -> object:
            before, self.attention.plan = self.attention.plan, plan
            try:
                return block(*arguments)
            finally:
                self.attention.plan = before

        return checkpoint(run, *arguments, use_reentrant=False)


class WanTeacher(WanNet):
    """Wan 2.1 VACE, predicting clean latents; under guidance (Ho and Salimans, 2022) where `guidance` is not 1."""

    guidance: float

    def __init__(self, transformer: "WanVACETransformer3DModel", guidance: float = 1.0) -> None:
        super().__init__(transformer)
        self.guidance = guidance
        self.self_attention.reference = True

    def forward(
        self,
        noisy_BCThw: torch.Tensor,
        timestep_B: torch.Tensor,
        condition: WanCondition,
        attention: AttentionPlan | None = None,
    ) -> torch.Tensor:
        """Clean latents (B, C, T, h, w) float32; timestep_B from 1 (noise) to 0.

        attention: over the T frames; all of them see the reference too, which is a frame of the sequence. None: dense.
        """
        t = timestep_B.view(-1, 1, 1, 1, 1)
        still = torch.lerp(condition.reference, condition.noise_BChw.to(condition.control_BVThw), t[:, 0])
        x_BCThw = torch.cat([still[:, :, None].to(noisy_BCThw), noisy_BCThw], 2)

        def velocity(text_BLE: torch.Tensor) -> torch.Tensor:
            return self._under(
                attention, x_BCThw, timestep_B * 1000, text_BLE,
                control_hidden_states=condition.control_BVThw.to(x_BCThw),
            )  # fmt: skip

        found = velocity(condition.text_BLE)
        if self.guidance != 1:
            if condition.negative_BLE is None:
                raise ValueError(f"guidance is {self.guidance}, but the condition has no negative prompt")
            away = velocity(condition.negative_BLE)
            found = away + self.guidance * (found - away)
        return noisy_BCThw.float() - t * found[:, :, 1:]


class WanStudent(WanNet):
    """A Wan 2.1 transformer (`widen`) under input-aware sparse attention, predicting clean latents."""

    first_layer = True

    def forward(
        self,
        noisy_BCThw: torch.Tensor,
        timestep_B: torch.Tensor,
        condition: WanCondition,
        attention: AttentionPlan | StreamStep | None = None,
    ) -> torch.Tensor:
        """Clean latents (B, C, T, h, w) float32. attention: over T latent frames, or what of the past a stream kept;
        None: dense."""
        reference = condition.reference[:, :, None].expand_as(condition.pose)
        x_BCThw = torch.cat([noisy_BCThw, condition.pose.to(noisy_BCThw), reference.to(noisy_BCThw)], 1)
        velocity = self._under(attention, x_BCThw, timestep_B * 1000, condition.text_BLE)
        return noisy_BCThw.float() - timestep_B.view(-1, 1, 1, 1, 1) * velocity


class WanStreaming:
    """A student at each of its times: a `StreamingNet`."""

    def __init__(self, student: WanStudent, times: Sequence[float]) -> None:
        """times: from 1 to 0, as `sampling.timesteps` gives them."""
        self.student, self.times = student, tuple(times)
        self.steps = [partial(self._step, time) for time in self.times[:-1]]

    @property
    def patch(self) -> int:
        return self.student.patch

    @property
    def longest(self) -> int:
        return int(self.student.transformer.config["rope_max_seq_len"])

    @property
    def device(self) -> torch.device:
        return self.student.transformer.device

    def position_turns(self, frames: int, cells: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        return wan_positions(self.student.transformer, frames, cells)

    def _step(self, time: float, noisy_1CThw: torch.Tensor, condition: WanCondition, step: StreamStep) -> torch.Tensor:
        return self.student(noisy_1CThw, noisy_1CThw.new_full((1,), time), condition, step)


def load_teacher(
    source: Path | str, guidance: float, dtype: torch.dtype = torch.float32, hub: bool = False
) -> WanTeacher:
    """From a `WanVACEPipeline` of diffusers, such as Wan-AI/Wan2.1-VACE-1.3B-diffusers, or from what was saved here."""
    from diffusers.models.transformers.transformer_wan_vace import WanVACETransformer3DModel

    return WanTeacher(_load(WanVACETransformer3DModel, source, dtype, hub), guidance)


def load_student(source: Path | str, dtype: torch.dtype = torch.float32, hub: bool = False) -> WanStudent:
    """From a `WanPipeline` of diffusers (its transformer is widened), or from what was saved here."""
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel

    base = _load(WanTransformer3DModel, source, dtype, hub)
    widened = base.config["in_channels"] == 3 * base.config["out_channels"]
    return WanStudent(base if widened else widen(base))


def _load(kind: type[Loaded], source: Path | str, dtype: torch.dtype, hub: bool) -> Loaded:
    """source: a folder, or a name that is fetched only if `hub`."""
    folder = Path(source)
    subfolder = None if folder.is_dir() and not (folder / "transformer").is_dir() else "transformer"
    return kind.from_pretrained(source, subfolder=subfolder, torch_dtype=dtype, local_files_only=not hub)  # type: ignore[attr-defined]


@torch.no_grad()
def widen(base: "WanTransformer3DModel") -> "WanTransformer3DModel":
    """The same transformer with three times the input channels. The new ones weigh nothing yet: it starts as it was."""
    old = base.patch_embedding
    wide = nn.Conv3d(3 * old.in_channels, old.out_channels, old.kernel_size, old.stride).to(old.weight)
    wide.weight.copy_(F.pad(old.weight, (0, 0, 0, 0, 0, 0, 0, 2 * old.in_channels)))
    assert wide.bias is not None
    wide.bias.copy_(old.bias)
    base.patch_embedding = wide
    base.register_to_config(in_channels=3 * base.config["in_channels"])
    return base
