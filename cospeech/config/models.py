"""Codec, teacher, student and what they are taught by."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from cospeech.config.section import Precision, Section


class OptimisationSection(Section):
    """AdamW; the learning rate rises, holds, then falls as a cosine. See cospeech/training/trainer.py."""

    steps: int = Field(gt=0)
    lr: float = Field(gt=0, description="greatest learning rate")
    warmup: int = Field(ge=0, description="steps of rising learning rate")
    hold: float = Field(ge=0, lt=1, description="share of the steps before the learning rate falls")
    betas: tuple[float, float]
    weight_decay: float = Field(ge=0)
    clip: float = Field(gt=0, description="greatest norm of the gradient")
    ema: float = Field(ge=0, lt=1, description="decay of the average of the weights")


class CodecSection(Section):
    pretrained: Path | None = Field(description="folder of a codec whose decoder learns on; null: from nothing")
    latent_channels: int = Field(gt=0)
    pose_channels: int = Field(gt=0, description="channels of an encoded skeleton picture")
    encoder_width: int = Field(gt=0)
    encoder_blocks: int = Field(ge=0)
    decoder_width: int = Field(gt=0)
    decoder_blocks: int = Field(ge=0)
    detail_width: int = Field(gt=0, description="width of the decoder near the picture")
    detail_blocks: int = Field(ge=0)
    frames: int = Field(gt=0, description="training frames held in memory, spread over the clips")
    batch: int = Field(gt=0)
    crop: int = Field(gt=0, multiple_of=8, description="side of a training crop, pixels")
    precision: Precision
    optimisation: OptimisationSection


class DeformerSection(Section):
    """How torso and sleeves of a deformed reference move; see cospeech/models/warping/deformer.py."""

    pretrained: Path | None = Field(description="folder of a deformer to start from; null: from nothing")
    width: int = Field(gt=0, description="of the hidden layers")
    size: int = Field(gt=0, description="side of the pictures it learns from, pixels")
    frames: int = Field(gt=0, description="training frames held in memory, spread over the clips")
    references: int = Field(gt=0, description="frames a training step that are deformed ...")
    poses: int = Field(gt=0, description="... each to so many poses of its clip")
    optimisation: OptimisationSection


class CellWeightsSection(Section):
    hands: float = Field(ge=0)
    face: float = Field(ge=0)
    lips: float = Field(ge=0, description="on top of face")


class TeacherSection(Section):
    pretrained: Path | None = Field(description="folder of a teacher to start from; null: from nothing")
    width: int = Field(gt=0)
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    ffn_ratio: int = Field(gt=0, description="width of the feed-forward layers in widths")
    conv_width: int = Field(gt=0, description="width of the convolutions before and after the transformer")
    patch: int = Field(gt=0, description="side of a token in latent cells")
    max_frames: int = Field(gt=0, description="longest window the positions reach")
    reference_warp: bool = Field(description="also show the reference deformed to the pose")
    steps: int = Field(gt=0, description="sampling steps")
    shift: float = Field(gt=0, description="above 1: more of the steps at high noise")
    temperature: float = Field(gt=0, description="size of the noise that drawing begins with, the student's too")
    batch: int = Field(gt=0, description="single frames a training step")
    window: int = Field(gt=0, description="frames of a window")
    window_batch: int = Field(gt=0, description="windows a training step")
    window_share: float = Field(ge=0, le=1, description="share of the training steps, the last, on windows")
    weights: CellWeightsSection
    precision: Precision
    optimisation: OptimisationSection


class WanSection(Section):
    """Wan 2.1 in place of the networks of codec, teacher and student; see docs/paper-scale.md."""

    hub: bool = Field(description="whether the models below may be fetched by name; false: folders and local caches")
    teacher: str = Field(description="folder or hub name of a WanVACEPipeline; its codec and text encoder serve both")
    student: str = Field(description="folder or hub name of a WanPipeline that the student starts as")
    frames: int = Field(gt=0, description="of a window: 1 and a multiple of 4")
    windows: int = Field(gt=0, description="of each clip, encoded, evenly spread; odd: its middle is among them")
    references: int = Field(gt=0, description="frames of each clip encoded as references, evenly spread")
    prompt: str = Field(description="of all videos; encoded once")
    negative_prompt: str = Field(description="what guidance leads away from")
    guidance: float = Field(ge=1, description="of the teacher when it draws and judges; 1: none")
    teacher_rank: int = Field(ge=0, description="of the teacher's low-rank updates; 0: it is taken as it is")
    student_rank: int = Field(gt=0)
    critic_rank: int = Field(gt=0, description="of the critic, which shares the teacher's weights")
    checkpointing: bool = Field(description="compute blocks again in the backward pass instead of keeping them")

    @model_validator(mode="after")
    def _frames_fill_latent_frames(self) -> "WanSection":
        if self.frames % 4 != 1:
            raise ValueError(f"frames is {self.frames}; Wan's codec takes 1 and a multiple of 4, such as 81")
        return self


class StreamSection(Section):
    """The student as a stream; see cospeech/attention/kv_cache.py. With wan these are latent frames, of four
    video frames each, the first of one."""

    chunk: int = Field(gt=0, description="frames drawn at once")
    frames: int = Field(ge=0, description="past frames whose keys and values are kept")
    recent: int = Field(ge=0, description="of these the last, always")

    @model_validator(mode="after")
    def _recent_are_kept(self) -> "StreamSection":
        if self.recent > self.frames:
            raise ValueError(f"recent {self.recent} cannot be more than the {self.frames} frames that are kept")
        return self


class AttentionSection(Section):
    """Input-aware sparse attention; see cospeech/attention."""

    mask: tuple[Literal["global", "local"], ...] = Field(description="what is on; empty: dense attention")
    past_frames: int = Field(ge=0, description="global: how many past frames a frame attends to")
    stream: StreamSection | None = Field(description="how the student draws; null: in overlapping windows")

    @property
    def streamed(self) -> StreamSection | None:
        """`stream`, if both parts of the mask are on: a stream keeps regions of a few past frames."""
        return self.stream if set(self.mask) == {"global", "local"} else None


class AdaptSection(Section):
    batch: int = Field(gt=0, description="windows a training step")
    frames: int = Field(gt=0, description="frames of a window")
    optimisation: OptimisationSection


class TargetsSection(Section):
    windows: int = Field(gt=0, description="windows of training clips that the teacher draws")
    frames: int = Field(gt=0, description="frames of a window")
    states: int = Field(gt=0, description="equal parts of the teacher's path whose ends are kept")


class RegionWeightsSection(Section):
    face: float = Field(ge=0)
    hands: float = Field(ge=0)
    arms: float = Field(ge=0)
    shoulders: float = Field(ge=0)
    body: float = Field(ge=0)


class StudentSection(Section):
    steps: int = Field(gt=0, description="sampling steps it is distilled for; divides targets.states")
    batch: int = Field(gt=0, description="windows a training step")
    regression: float = Field(ge=0, description="first phase: weight of the error against the teacher's paths; 0: off")
    dmd: float = Field(ge=0, description="second phase: weight of distribution matching; 0: off")
    region: float = Field(ge=0, description="second phase: weight of the region loss; 0: off")
    regions: RegionWeightsSection = Field(description="weight of each region within the region loss")
    region_frames: int = Field(gt=0, description="frames of a window that are decoded for the region loss")
    face_features: Path | None = Field(description="ArcFace weights (safetensors); null: the codec's own features")
    lpips: Path | None = Field(description="AlexNet or VGG16 weights (safetensors); null: the codec's own features")
    critic_updates: int = Field(gt=0, description="of the critic's weights for one of the student's")
    critic_lr: float = Field(gt=0, description="greatest learning rate of the critic")
    precision: Precision = Field(description="of its training; it draws in teacher.precision")
    regress: OptimisationSection = Field(description="first phase")
    match: OptimisationSection = Field(description="second phase")

    @model_validator(mode="after")
    def _has_a_goal(self) -> "StudentSection":
        if self.regression == self.dmd == self.region == 0:
            raise ValueError("regression, dmd and region are all 0: nothing is left to learn")
        return self
