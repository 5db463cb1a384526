"""Settings of compute, sources, media, poses, audio and curation."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from cospeech.config.section import Section


class Compute(Section):
    """How to run, not what to compute: no DVC stage depends on this section."""

    device: Literal["auto", "cpu", "cuda"]
    workers: int = Field(ge=0, description="processes for clip-parallel work; 0: one per core")
    cluster: str | None = Field(
        description="cluster for that work: tcp://host:8786 (Dask), ray://host:10001, ray:auto (Ray); null: none"
    )


class Ingest(Section):
    """Where the footage comes from; relative uris of the manifest start at `source`."""

    source: str = Field(description="folder (path or s3://...) that holds manifest.csv")
    endpoint_url: str | None = Field(description="S3 endpoint; null: AWS")


class Media(Section):
    """Format of the clips."""

    fps: int = Field(gt=0)
    size: int = Field(gt=0, multiple_of=16, description="side of the square clips, pixels")
    sample_rate: int = Field(gt=0)
    ffmpeg: Path | None = Field(
        description="path of the ffmpeg to encode with; null: the one that requirements.lock pins"
    )


class MediaPipePoses(Section):
    """MediaPipe Holistic; see cospeech/pose/mediapipe.py."""

    detection: float = Field(gt=0, lt=1, description="minimum score for detecting a person")
    tracking: float = Field(gt=0, lt=1, description="minimum score for tracking a person")
    hand: float = Field(gt=0, lt=1, description="minimum presence score of a hand")
    size: int = Field(ge=0, description="enlarge smaller frames to this side before detection, pixels; 0: never")


class DwposePoses(Section):
    """DWPose with ONNX Runtime; see cospeech/pose/dwpose.py."""

    detector: Path = Field(description="ONNX file of the YOLOX person detector")
    pose: Path = Field(description="ONNX file of the whole-body model")
    device: Literal["cpu", "cuda"]


class PosesSection(Section):
    """Keypoint detection."""

    backend: Literal["mediapipe", "dwpose"]
    mediapipe: MediaPipePoses
    dwpose: DwposePoses


class Audio(Section):
    """Audio features, words and phones."""

    features: Literal["none", "wav2vec2", "whisper"] = Field(
        description="learned feature beside the log-mel: none, wav2vec2, whisper"
    )
    features_model: str | None = Field(description="folder or hub name of its encoder")
    recogniser: str | None = Field(
        description="folder or name of a Whisper model in CTranslate2 format; null: no transcripts"
    )
    language: str | None = Field(description="spoken language, such as en; null: detect it in each clip")
    word_aligner: str | None = Field(
        description="wav2vec 2.0 CTC over letters; null: Whisper's own, coarser word times"
    )
    phone_recogniser: str | None = Field(
        description="wav2vec 2.0 CTC over phones; null: only phones supplied with the clips"
    )
    hub: bool = Field(description="download the weights named above by name? false: use folders and local caches only")

    @model_validator(mode="after")
    def _models_named(self) -> "Audio":
        if self.features != "none" and self.features_model is None:
            raise ValueError(f"features is {self.features}, but features_model is null; name its folder")
        if self.word_aligner is not None and self.recogniser is None:
            raise ValueError("word_aligner aligns the words of recogniser, but recogniser is null; set both or neither")
        return self


class Curate(Section):
    """Thresholds for keeping clips, with the names of the scores in data/curated.parquet."""

    clip_seconds: float = Field(ge=0, description="minimum length")
    face_confidence: float = Field(ge=0, le=1, description="the mean confidence of the face points must be above this")
    upper_body_confidence: float = Field(ge=0, le=1, description="the same for shoulders, elbows and wrists")
    upper_body_visible: float = Field(
        ge=0, le=1, description="minimum share of frames with shoulders and elbows in the frame"
    )
    hands_visible: float = Field(ge=0, le=1, description="minimum share of frames with a hand")
    second_face: float = Field(ge=0, le=1, description="maximum share of sampled frames with more than one face")
    cut: float = Field(
        ge=0, le=2, description="maximum by which a change between two frames may exceed the motion around it"
    )
    camera_motion: float = Field(ge=0, description="maximum speed of the background, picture widths per second")
    voice_share: float = Field(ge=0, le=1, description="minimum share of frames with speech")
    sync_expert: Path | None = Field(
        description="measures av_offset: folder of an expert, or SyncNet's file; null: mouth opening and loudness"
    )
    av_offset: int = Field(ge=0, le=15, description="maximum offset between sound and lips, frames")
    av_evidence: float = Field(
        ge=0,
        description="minimum evidence to refuse by av_offset (unrelated sound: under 0.2 in 95%); with an expert 0.2",
    )
    require_consent: bool = Field(description="refuse clips whose consent or licence the manifest does not state")
    holdout_every: int = Field(
        ge=2, description="hold out one kept clip in this many for testing, if the manifest gives no split"
    )

    def thresholds(self) -> dict[str, float]:
        """Return score -> threshold."""
        others = ("sync_expert", "require_consent", "holdout_every")
        return {name: value for name, value in self.model_dump().items() if name not in others}
