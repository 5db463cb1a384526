"""params.yaml as frozen, typed sections. Every key must be there and no other: there are no defaults in code."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def dumped(section: Section | None) -> dict[str, Any] | None:
    """A section that may be null, as the library takes it."""
    return None if section is None else section.model_dump()


class Compute(Section):
    """How to run, never what to compute: no DVC stage depends on this section."""

    device: Literal["auto", "cpu", "cuda"]
    workers: int = Field(ge=0, description="processes for clip-parallel work; 0: one a core")
    cluster: str | None = Field(description="Dask or Ray cluster for clip-parallel work; null: this machine")


class Ingest(Section):
    source: str = Field(description="folder (path or s3://...) that holds manifest.csv; relative uris start here")
    endpoint_url: str | None = Field(description="S3 endpoint; null: the provider's own")


class Media(Section):
    fps: int = Field(gt=0)
    size: int = Field(gt=0, multiple_of=16, description="side of the square clips, pixels")
    sample_rate: int = Field(gt=0)


class MediaPipePoses(Section):
    detection: float = Field(gt=0, lt=1, description="least score at which a person is found")
    tracking: float = Field(gt=0, lt=1, description="least score at which a person is followed")
    hand: float = Field(gt=0, lt=1, description="least presence score of a hand")
    size: int = Field(ge=0, description="smaller frames are enlarged to it before detection, pixels; 0: never")


class DwposePoses(Section):
    detector: Path = Field(description="ONNX file of the YOLOX person detector")
    pose: Path = Field(description="ONNX file of the whole-body model")
    device: Literal["cpu", "cuda"]


class PosesSection(Section):
    backend: Literal["mediapipe", "dwpose"]
    mediapipe: MediaPipePoses
    dwpose: DwposePoses


class Audio(Section):
    features: Literal["none", "wav2vec2", "whisper"] = Field(description="learned feature beside the log-mel")
    features_model: str | None = Field(description="folder or hub name of its encoder")
    recogniser: str | None = Field(description="folder or name of a Whisper in CTranslate2 form; null: no transcripts")
    language: str | None = Field(description="what is spoken, such as en; null: detected clip by clip")
    word_aligner: str | None = Field(description="wav2vec 2.0 CTC over letters; null: Whisper's own times")
    phone_recogniser: str | None = Field(description="wav2vec 2.0 CTC over phones; null: no phones")
    hub: bool = Field(description="whether weights named above may be fetched; false: folders and local caches only")

    @model_validator(mode="after")
    def _models_named(self) -> "Audio":
        if self.features != "none" and self.features_model is None:
            raise ValueError(f"features is {self.features} but features_model is null: name its folder")
        if self.word_aligner is not None and self.recogniser is None:
            raise ValueError("word_aligner places the words of a recogniser, but recogniser is null")
        return self


class Curate(Section):
    """Thresholds carry the names of the scores in data/curated.parquet."""

    clip_seconds: float = Field(ge=0, description="least length")
    face_confidence: float = Field(ge=0, le=1, description="mean confidence of the face points must be above")
    upper_body_confidence: float = Field(ge=0, le=1, description="same for shoulders, elbows, wrists")
    upper_body_visible: float = Field(ge=0, le=1, description="least share of frames with shoulders and elbows")
    hands_visible: float = Field(ge=0, le=1, description="least share of frames with a hand")
    second_face: float = Field(ge=0, le=1, description="greatest share of sampled frames with more than one face")
    cut: float = Field(ge=0, le=2, description="how far a change between two frames may stand out from motion")
    camera_motion: float = Field(ge=0, description="greatest speed of the background, picture widths a second")
    voice_share: float = Field(ge=0, le=1, description="least share of frames with speech")
    sync_expert: Path | None = Field(
        description="finds av_offset: folder of an expert, or SyncNet's file; null: mouth opening and loudness"
    )
    av_offset: int = Field(ge=0, le=15, description="greatest offset of sound and lips, frames")
    av_evidence: float = Field(ge=0, description="least evidence on which an offset refuses a clip")
    require_consent: bool = Field(description="refuse clips whose consent or licence the manifest does not state")
    holdout_every: int = Field(ge=2, description="one kept clip in so many tests, where the manifest gives no split")

    def thresholds(self) -> dict[str, float]:
        others = ("sync_expert", "require_consent", "holdout_every")
        return {name: value for name, value in self.model_dump().items() if name not in others}


class OptimisationSection(Section):
    """AdamW; the learning rate rises, holds, then falls as a cosine. See stages/lib/training.py."""

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
    precision: Literal["fp32", "bf16"]
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
    batch: int = Field(gt=0, description="single frames a training step")
    window: int = Field(gt=0, description="frames of a window")
    window_batch: int = Field(gt=0, description="windows a training step")
    window_share: float = Field(ge=0, le=1, description="share of the training steps, the last, on windows")
    weights: CellWeightsSection
    precision: Literal["fp32", "bf16"]
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
    """The student as a stream; see stages/lib/attention/streaming.py."""

    chunk: int = Field(gt=0, description="frames drawn at once")
    frames: int = Field(ge=0, description="past frames whose keys and values are kept")
    recent: int = Field(ge=0, description="of these the last, always")

    @model_validator(mode="after")
    def _recent_are_kept(self) -> "StreamSection":
        if self.recent > self.frames:
            raise ValueError(f"recent {self.recent} cannot be more than the {self.frames} frames that are kept")
        return self


class AttentionSection(Section):
    """Input-aware sparse attention; see stages/lib/attention."""

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
    regress: OptimisationSection = Field(description="first phase")
    match: OptimisationSection = Field(description="second phase")

    @model_validator(mode="after")
    def _has_a_goal(self) -> "StudentSection":
        if self.regression == self.dmd == self.region == 0:
            raise ValueError("regression, dmd and region are all 0: nothing is left to learn")
        return self


class MotionSection(Section):
    """Voice to motion; see stages/lib/nets/motion.py."""

    width: int = Field(gt=0, description="of what the voice is heard with")
    hidden: int = Field(gt=0, description="of the memory and of what draws body and head")
    lookahead: int = Field(ge=0, le=4, description="frames of voice heard ahead; live video lags by as much")
    chunk: int = Field(gt=0, description="frames of body and head drawn at once")
    pose_components: int = Field(gt=0, description="principal components of training poses")
    chunk_components: int = Field(gt=0, description="of what training people do in a chunk")
    window: int = Field(gt=1, description="frames of a training window")
    batch: int = Field(gt=0, description="windows a training step")
    sampling_steps: int = Field(gt=0)
    optimisation: OptimisationSection

    @model_validator(mode="after")
    def _chunks_fit(self) -> "MotionSection":
        if self.chunk > self.window:
            raise ValueError(f"chunk is {self.chunk} frames, more than window, {self.window}")
        if self.chunk > self.lookahead + 1:
            raise ValueError(f"chunk is {self.chunk} frames, but only {self.lookahead + 1} (lookahead + 1) are heard")
        return self


class SyncSection(Section):
    """The lip-sync expert; see stages/lib/nets/sync.py."""

    width: int = Field(gt=0, multiple_of=8)
    embedding: int = Field(gt=0)
    clips_a_batch: int = Field(gt=0)
    windows_a_clip: int = Field(gt=1, description="of each clip of a batch; they are each other's hard negatives")
    precision: Literal["fp32", "bf16"]
    optimisation: OptimisationSection


class WeightsSection(Section):
    """Official weights of published networks (docs/metrics.md); null: the measure is null and says so."""

    syncnet: Path | None = Field(description="syncnet_v2.model; null: the expert of train_sync judges lip-sync")
    lpips: Path | None = Field(description="torchvision's AlexNet (safetensors)")
    fid: Path | None = Field(description="torch-fidelity's Inception-v3")
    fvd: Path | None = Field(description="I3D of Kinetics-400 for PyTorch")
    identity: Path | None = Field(description="ArcFace, an InsightFace iresnet (safetensors)")


class EvaluateSection(Section):
    clips: int = Field(gt=0, description="most held-out clips that are drawn")
    frames: int = Field(gt=0, description="of each, from its middle, drawn by teacher and student")
    window: int = Field(gt=0, description="frames drawn at once")
    overlap: int = Field(ge=0, description="frames that windows share")
    samples: int = Field(ge=0, description="most clips of which videos are kept")
    shown: int = Field(ge=0, description="most clips in which the student shows drawn motion to the lip-sync judge")
    weights: WeightsSection

    @model_validator(mode="after")
    def _windows_advance(self) -> "EvaluateSection":
        if self.overlap >= self.window:
            raise ValueError(f"overlap {self.overlap} must be less than window {self.window}")
        return self


class ExportSection(Section):
    name: str = Field(description="of the model, for its card")
    licence: str = Field(description="under which you give the model on; the card says it")


class ProvenanceSection(Section):
    """Who signs sample videos (C2PA) and exports; see docs/provenance.md."""

    sign: bool
    key: Path | None = Field(description="PEM private key; null: one made for this project")
    certificates: Path | None = Field(description="PEM certificates of the key, its own first")

    @model_validator(mode="after")
    def _both_or_neither(self) -> "ProvenanceSection":
        if (self.key is None) != (self.certificates is None):
            raise ValueError("give key and certificates, or neither (null)")
        return self


class RegistrySection(Section):
    """Where promoted models are kept; no DVC stage depends on it."""

    location: str = Field(description="folder, or s3://bucket/prefix")
    endpoint_url: str | None = Field(description="S3 endpoint; null: the provider's own")


class RuleSection(Section):
    better: Literal["higher", "lower"]
    margin: float = Field(description="the gain must lie above it; negative: a loss that is put up with")


class GateSection(Section):
    """When a new model replaces the one in production; see stages/lib/registry/gate.py."""

    measures: dict[str, RuleSection] = Field(min_length=1)
    confidence: float = Field(gt=0.5, lt=1, description="of the interval of the gain")
    resamples: int = Field(ge=100, description="of the bootstrap over clips")
    clips: int = Field(ge=1, description="least number of held-out clips that both were measured on")

    @model_validator(mode="after")
    def _something_must_gain(self) -> "GateSection":
        if all(rule.margin < 0 for rule in self.measures.values()):
            raise ValueError("every margin is negative, so a worse model could pass: give one measure 0 or more")
        return self


class Params(Section):
    seed: int
    compute: Compute
    ingest: Ingest
    media: Media
    poses: PosesSection
    audio: Audio
    curate: Curate
    codec: CodecSection
    teacher: TeacherSection
    wan: WanSection | None
    attention: AttentionSection
    adapt: AdaptSection
    targets: TargetsSection
    student: StudentSection
    motion: MotionSection
    sync: SyncSection
    evaluate: EvaluateSection
    export: ExportSection
    provenance: ProvenanceSection
    registry: RegistrySection
    gate: GateSection

    @model_validator(mode="after")
    def _wan_windows(self) -> "Params":
        """All of Wan's windows have one length: the first frame of each is encoded otherwise than the rest."""
        if self.wan is None:
            return self
        lengths = {
            "teacher.window": self.teacher.window, "adapt.frames": self.adapt.frames,
            "targets.frames": self.targets.frames, "evaluate.window": self.evaluate.window,
            "evaluate.frames": self.evaluate.frames,
        }  # fmt: skip
        wrong = [f"{name} {found}" for name, found in lengths.items() if found != self.wan.frames]
        if wrong:
            raise ValueError(f"with wan, all windows are of wan.frames {self.wan.frames}: not so {', '.join(wrong)}")
        if self.teacher.window_share != 1:
            raise ValueError("with wan, teacher.window_share must be 1: single frames are not encoded")
        if self.attention.stream is not None:
            raise ValueError("with wan, attention.stream must be null: streaming is not built for the Wan family yet")
        if self.codec.pretrained is not None or self.teacher.pretrained is not None:
            raise ValueError("with wan, codec.pretrained and teacher.pretrained must be null: wan.teacher is both")
        return self


class ParamsError(ValueError):
    """params.yaml does not say what it must; the message names each key."""


def load_params(path: Path) -> Params:
    """Read and check a parameter file.

    Raises:
        ParamsError: the file is absent, is not YAML, or has an unknown, missing or wrong key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such file; copy params/ or params.yaml from the repository") from None
    try:
        return Params.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not YAML: {error}") from error
    except ValidationError as error:
        raise ParamsError(_explain(path, error)) from error


def _explain(path: Path, error: ValidationError) -> str:
    kinds = {"missing": "missing key", "extra_forbidden": "unknown key"}
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"]) or "(whole file)"
        if problem["type"] in kinds:
            lines.append(f"{key}: {kinds[problem['type']]}")
        else:
            lines.append(f"{key}: {problem['msg']}, got {problem['input']!r}")
    return f"{path}: " + "; ".join(lines)
