"""What is learned from: compute, sources, media, poses, voices, what is kept."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from cospeech.config.section import Section


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
    ffmpeg: Path | None = Field(description="binary that encodes; null: the one that requirements.lock fixes")


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
