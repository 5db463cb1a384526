"""What is measured, given on, signed and promoted."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from cospeech.config.section import Section
from cospeech.metrics.registry import MEASURES


class QuantiseSection(Section):
    """Student and codec in whole numbers of 8 bits, where the processor has AVX2 and teacher.precision is auto."""

    windows: int = Field(
        ge=0, description="of training clips, over which the layers' ranges are measured; 0: no 8 bits"
    )
    frames: int = Field(gt=0, description="of each")


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
    encoder_steps: int = Field(gt=0, description="of training the encoder of gestures that FGD looks through")
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
    """When a new model replaces the one in production; see cospeech/registry/gate.py."""

    measures: dict[str, RuleSection] = Field(min_length=1)
    confidence: float = Field(gt=0.5, lt=1, description="of the interval of the gain")
    resamples: int = Field(ge=100, description="of the bootstrap over clips")
    clips: int = Field(ge=1, description="least number of held-out clips that both were measured on")

    @model_validator(mode="after")
    def _measures_are_known(self) -> "GateSection":
        known = [measure.key for measure in MEASURES]
        if unknown := sorted(set(self.measures) - set(known)):
            raise ValueError(f"measures: {', '.join(unknown)}: evaluate has {', '.join(known)}")
        return self

    @model_validator(mode="after")
    def _something_must_gain(self) -> "GateSection":
        if all(rule.margin < 0 for rule in self.measures.values()):
            raise ValueError("every margin is negative, so a worse model could pass: give one measure 0 or more")
        return self
