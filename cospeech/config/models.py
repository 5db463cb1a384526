"""Settings of codec, deformer, teacher and student, and of their training."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from cospeech.config.section import Precision, Section


class OptimisationSection(Section):
    """AdamW; the learning rate rises, holds, then falls as a cosine. See cospeech/training/trainer.py."""

    steps: int = Field(gt=0)
    lr: float = Field(gt=0, description="maximum learning rate")
    warmup: int = Field(ge=0, description="steps in which the learning rate rises")
    hold: float = Field(ge=0, lt=1, description="share of the steps before the learning rate falls")
    betas: tuple[float, float]
    weight_decay: float = Field(ge=0)
    clip: float = Field(gt=0, description="maximum norm of the gradient")
    ema: float = Field(ge=0, lt=1, description="decay of the moving average of the weights")


class CodecSection(Section):
    """The image codec and the pose encoder; see cospeech/models/autoencoders."""

    pretrained: Path | None = Field(
        description="folder of a codec whose decoder is trained further; null: from scratch"
    )
    latent_channels: int = Field(gt=0)
    pose_channels: int = Field(gt=0, description="channels of an encoded skeleton image")
    encoder_width: int = Field(gt=0)
    encoder_blocks: int = Field(ge=0)
    decoder_width: int = Field(gt=0)
    decoder_blocks: int = Field(ge=0)
    detail_width: int = Field(gt=0, description="width of the decoder's layers at full resolution")
    detail_blocks: int = Field(ge=0)
    frames: int = Field(gt=0, description="training frames held in memory, spread over the clips")
    batch: int = Field(gt=0)
    crop: int = Field(gt=0, multiple_of=8, description="side of a training crop, pixels")
    precision: Precision
    optimisation: OptimisationSection


class DeformerSection(Section):
    """The model that moves torso and sleeves of the deformed reference; see cospeech/models/warping/deformer.py."""

    pretrained: Path | None = Field(description="folder of a deformer to start from; null: from scratch")
    width: int = Field(gt=0, description="width of the hidden layers")
    size: int = Field(gt=0, description="side of the training images, pixels")
    frames: int = Field(gt=0, description="training frames held in memory, spread over the clips")
    references: int = Field(gt=0, description="reference frames per training step")
    poses: int = Field(gt=0, description="poses of its clip that each reference is deformed to")
    optimisation: OptimisationSection


class CellWeightsSection(Section):
    """Extra weight of errors near regions, beyond 1."""

    hands: float = Field(ge=0)
    face: float = Field(ge=0)
    lips: float = Field(ge=0, description="on top of face")


class TeacherSection(Section):
    """The teacher and its training; see cospeech/models/transformers/denoiser.py."""

    pretrained: Path | None = Field(description="folder of a teacher to start from; null: from scratch")
    width: int = Field(gt=0)
    layers: int = Field(gt=0)
    heads: int = Field(gt=0)
    ffn_ratio: int = Field(gt=0, description="width of the feed-forward layers, in multiples of width")
    conv_width: int = Field(gt=0, description="width of the convolutions before and after the transformer")
    patch: int = Field(gt=0, description="side of a token, latent cells")
    max_frames: int = Field(gt=0, description="longest window that the position encoding covers")
    reference_warp: bool = Field(description="also condition on the reference deformed to the pose")
    steps: int = Field(gt=0, description="sampling steps")
    shift: float = Field(gt=0, description="above 1: more of the steps at high noise")
    temperature: float = Field(
        gt=0, description="scale of the initial noise, the student's too; below 1: nearer to the mean of all answers"
    )
    batch: int = Field(gt=0, description="single frames per training step")
    window: int = Field(gt=0, description="frames of a window")
    window_batch: int = Field(gt=0, description="windows per training step")
    window_share: float = Field(ge=0, le=1, description="share of the training steps, the last ones, on windows")
    weights: CellWeightsSection
    precision: Precision
    optimisation: OptimisationSection


class WanSection(Section):
    """Wan 2.1 in place of the networks of codec, teacher and student; see docs/guides/wan.md."""

    hub: bool = Field(description="download the models below by name? false: use folders and local caches only")
    teacher: str = Field(
        description="folder or hub name of a WanVACEPipeline; both models use its codec and text encoder"
    )
    student: str = Field(description="folder or hub name of a WanPipeline that the student starts from")
    frames: int = Field(gt=0, description="frames of a window: 1 plus a multiple of 4")
    windows: int = Field(
        gt=0, description="windows of each clip to encode, evenly spaced; an odd number includes the middle"
    )
    references: int = Field(gt=0, description="frames of each clip to encode as references, evenly spaced")
    prompt: str = Field(description="prompt of all videos; encoded once")
    negative_prompt: str = Field(description="negative prompt of guidance")
    guidance: float = Field(
        ge=1, description="guidance scale of the teacher, for sampling and for distribution matching; 1: none"
    )
    teacher_rank: int = Field(ge=0, description="rank of the teacher's LoRA; 0: the teacher stays as it is")
    student_rank: int = Field(gt=0)
    critic_rank: int = Field(gt=0, description="rank of the critic's LoRA; the critic shares the teacher's weights")
    checkpointing: bool = Field(
        description="recompute blocks in the backward pass instead of storing their activations"
    )

    @model_validator(mode="after")
    def _frames_fill_latent_frames(self) -> "WanSection":
        if self.frames % 4 != 1:
            raise ValueError(f"frames is {self.frames}; Wan's codec needs 1 plus a multiple of 4, such as 81")
        return self


class StreamSection(Section):
    """Streaming by the student; see cospeech/attention/kv_cache.py.

    With wan these are latent frames, of four video frames each, the first of one.
    """

    chunk: int = Field(gt=0, description="frames generated at once")
    frames: int = Field(ge=0, description="past frames whose keys and values are kept")
    recent: int = Field(
        ge=0, description="of these, always the latest; the others are the older ones that differ most in pose"
    )

    @model_validator(mode="after")
    def _recent_are_kept(self) -> "StreamSection":
        if self.recent > self.frames:
            raise ValueError(f"recent is {self.recent}, more than frames, {self.frames}")
        return self


class AttentionSection(Section):
    """Input-aware sparse attention; see cospeech/attention."""

    mask: tuple[Literal["global", "local"], ...] = Field(
        description="global: only a few past frames; local: only tokens that share a region; []: dense"
    )
    past_frames: int = Field(ge=0, description="global: number of past frames, those most similar in pose")
    stream: StreamSection | None = Field(
        description="generate each frame once, with a bounded cache; null: in overlapping windows (evaluate)"
    )

    @property
    def streamed(self) -> StreamSection | None:
        """`stream`, if both parts of the mask are on: a stream keeps regions of a few past frames."""
        return self.stream if set(self.mask) == {"global", "local"} else None


class AdaptSection(Section):
    """Fine-tuning of the teacher with sparse attention."""

    batch: int = Field(gt=0, description="windows per training step")
    frames: int = Field(gt=0, description="frames of a window")
    optimisation: OptimisationSection


class TargetsSection(Section):
    """The teacher's trajectories, from which the student learns."""

    windows: int = Field(gt=0, description="windows of training clips that the teacher generates")
    frames: int = Field(gt=0, description="frames of a window")
    states: int = Field(gt=0, description="equal parts of the teacher's trajectory whose ends are kept")


class RegionWeightsSection(Section):
    """Weights of the regions in the region loss."""

    face: float = Field(ge=0)
    hands: float = Field(ge=0)
    arms: float = Field(ge=0)
    shoulders: float = Field(ge=0)
    body: float = Field(ge=0)


class StudentSection(Section):
    """Distillation of the student; see cospeech/training/distillation.py."""

    steps: int = Field(
        gt=0, description="sampling steps that it is distilled for; divides targets.states, unless regression is 0"
    )
    batch: int = Field(gt=0, description="windows per training step")
    regression: float = Field(
        ge=0, description="first phase: weight of the error against the teacher's trajectories; 0: off"
    )
    dmd: float = Field(ge=0, description="second phase: weight of distribution matching; 0: off")
    region: float = Field(ge=0, description="second phase: weight of the region loss on decoded frames; 0: off")
    regions: RegionWeightsSection = Field(description="weight of each region in the region loss")
    region_frames: int = Field(gt=0, description="frames of a window that are decoded for the region loss")
    face_features: Path | None = Field(
        description="ArcFace weights (safetensors) for the face; null: the codec's own features"
    )
    lpips: Path | None = Field(
        description="AlexNet or VGG16 weights (safetensors) for the other regions; null: the codec's own features"
    )
    critic_updates: int = Field(gt=0, description="updates of the critic per update of the student")
    critic_lr: float = Field(gt=0, description="maximum learning rate of the critic")
    precision: Precision = Field(description="precision of training; sampling uses teacher.precision")
    regress: OptimisationSection = Field(
        description="first phase: AdamW; the learning rate rises, holds, then falls as a cosine"
    )
    match: OptimisationSection = Field(description="second phase; the critic has the same settings, except lr")

    @model_validator(mode="after")
    def _has_a_goal(self) -> "StudentSection":
        if self.regression == self.dmd == self.region == 0:
            raise ValueError("regression, dmd and region are all 0, so there is no loss; set at least one above 0")
        return self
