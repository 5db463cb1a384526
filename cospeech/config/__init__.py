"""Load params.yaml as frozen, typed sections. Every key is required and no other is allowed: code has no defaults."""

from pathlib import Path

import yaml
from pydantic import ValidationError, model_validator

from cospeech.config.footage import Audio, Compute, Curate, Ingest, Media, PosesSection
from cospeech.config.models import (
    AdaptSection,
    AttentionSection,
    CodecSection,
    DeformerSection,
    StudentSection,
    TargetsSection,
    TeacherSection,
    WanSection,
)
from cospeech.config.results import (
    EvaluateSection,
    ExportSection,
    GateSection,
    ProvenanceSection,
    QuantiseSection,
    RegistrySection,
)
from cospeech.config.section import Section, dumped
from cospeech.config.speech import MotionSection, SyncSection

__all__ = ["Params", "ParamsError", "dumped", "load_params"]


class Params(Section):
    """All of params.yaml."""

    seed: int
    compute: Compute
    ingest: Ingest
    media: Media
    poses: PosesSection
    audio: Audio
    curate: Curate
    codec: CodecSection
    deformer: DeformerSection
    teacher: TeacherSection
    wan: WanSection | None
    attention: AttentionSection
    adapt: AdaptSection
    targets: TargetsSection
    student: StudentSection
    quantise: QuantiseSection
    motion: MotionSection
    sync: SyncSection
    evaluate: EvaluateSection
    export: ExportSection
    provenance: ProvenanceSection
    registry: RegistrySection
    gate: GateSection

    @model_validator(mode="after")
    def _steps_divide(self) -> "Params":
        """Check that the student's steps end at kept states of the teacher's trajectory, if it learns from them."""
        teacher, states, student = self.teacher.steps, self.targets.states, self.student.steps
        if teacher % states:
            raise ValueError(f"targets.states is {states}, which does not divide teacher.steps {teacher}")
        if self.student.regression > 0 and states % student:
            raise ValueError(f"student.steps is {student}, which does not divide targets.states {states}")
        return self

    @model_validator(mode="after")
    def _windows_are_reached(self) -> "Params":
        if self.wan is not None:
            return self
        lengths = {
            "teacher.window": self.teacher.window, "adapt.frames": self.adapt.frames,
            "targets.frames": self.targets.frames, "evaluate.window": self.evaluate.window,
        }  # fmt: skip
        if wrong := [f"{name} {found}" for name, found in lengths.items() if found > self.teacher.max_frames]:
            raise ValueError(
                f"windows have at most teacher.max_frames {self.teacher.max_frames} frames, but {', '.join(wrong)}"
            )
        return self

    @model_validator(mode="after")
    def _wan_windows(self) -> "Params":
        """Check Wan's windows: all have one length, because each window's first frame is encoded differently."""
        if self.wan is None:
            return self
        lengths = {
            "teacher.window": self.teacher.window, "adapt.frames": self.adapt.frames,
            "targets.frames": self.targets.frames, "evaluate.window": self.evaluate.window,
        }  # fmt: skip
        wrong = [f"{name} {found}" for name, found in lengths.items() if found != self.wan.frames]
        if wrong:
            raise ValueError(f"with wan, all windows have wan.frames {self.wan.frames} frames, but {', '.join(wrong)}")
        if self.evaluate.frames % 4 != 1 or self.evaluate.overlap % 4:
            raise ValueError(
                "with wan, evaluate.frames must be 1 plus a multiple of 4 and evaluate.overlap a multiple of 4, to "
                f"fill latent frames: they are {self.evaluate.frames} and {self.evaluate.overlap}"
            )
        if self.teacher.window_share != 1:
            raise ValueError("with wan, teacher.window_share must be 1: single frames are not encoded")
        if self.teacher.precision == "auto" or self.student.precision != self.teacher.precision:
            raise ValueError(
                "with wan, teacher.precision must be bf16 or fp32, in which its frozen weights are kept, and "
                f"student.precision the same: they are {self.teacher.precision} and {self.student.precision}"
            )
        if self.codec.pretrained is not None or self.teacher.pretrained is not None:
            raise ValueError("with wan, codec.pretrained and teacher.pretrained must be null: wan.teacher has both")
        return self


class ParamsError(ValueError):
    """A parameter file is invalid; the message names each wrong key."""


def load_params(path: Path) -> Params:
    """Read and check a parameter file.

    Raises:
        ParamsError: the file is absent or is not YAML, or a key is unknown, missing or wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such file; copy params.yaml or a file of params/ from the repository") from None
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
        elif isinstance(problem["input"], dict):  # a check of a whole section; its message names keys and values
            lines.append(f"{key}: {problem['msg'].removeprefix('Value error, ')}")
        else:
            lines.append(f"{key}: {problem['msg']}, got {problem['input']!r}")
    return f"{path}: " + "; ".join(lines)
