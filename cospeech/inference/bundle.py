"""The networks of an export and how they are run."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from ..models.autoencoders.codec import Codec
from ..models.autoencoders.pose_encoder import PoseEncoder
from ..models.autoencoders.wan_vae import PROMPTS, WanCodec
from ..models.common.base import Model
from ..models.common.protocols import StreamingNet
from ..models.transformers.denoiser import Condition, Denoiser
from ..models.transformers.wan import WanCondition, WanStudent, load_student
from ..models.warping.deformer import Deformer
from ..motion.model import MotionModel
from ..sampling.config import SamplingConfig, StreamConfig
from ..sampling.kv_stream import ready_to_stream
from ..sampling.quantization import Floating, in_arithmetic, load_ranges, pick_arithmetic
from ..utils.precision import Precision, resolve_precision

RANGES = "ranges.json"
"""In an export, what the layers take in (`sampling/quantization.py`); without it all is drawn in floating point."""
Network = TypeVar("Network", bound=Model)
Loaded = TypeVar("Loaded")


@dataclass(frozen=True, kw_only=True)
class Settings(SamplingConfig):
    """How the student is run: sampling.json of the export. size: pixels a side; fps: of the footage it learned from.

    motion_steps: sampling steps of voice to motion. sample_rate: of the voice, Hz. unseen: keypoints that the training
    footage did not show, such as hips below its lower edge; where a picture shows them the student would not know what
    they mean. rest: (133, 2), pixels, the pose of a person of the training footage that is most like all; the voice
    moves this body, and its motion is fitted to the person in the picture.
    """

    size: int
    fps: int
    motion_steps: int
    sample_rate: int
    unseen: Sequence[int]
    rest: Sequence[Sequence[float]]


_LATER = {"temperature"}
"""Settings that older exports do not have: they have the default."""


@dataclass(frozen=True)
class Models:
    """stream: the student as a stream draws it, in the arithmetic that is the fastest here. deformer: None in exports
    made before there was one. motion: voice to keypoints; None where the export has none."""

    student: Denoiser
    stream: StreamingNet[Condition]
    codec: Codec
    deformer: Deformer | None
    pose_encoder: PoseEncoder
    motion: MotionModel | None
    settings: Settings
    device: torch.device


@dataclass(frozen=True)
class WanModels:
    """The same with Wan 2.1: the codec also encodes skeletons. text_1LE: the prompt's embedding."""

    student: WanStudent
    stream: StreamingNet[WanCondition]
    codec: WanCodec
    text_1LE: torch.Tensor
    motion: MotionModel | None
    settings: Settings
    device: torch.device


def load_models(
    folder: str | Path, device: torch.device | str = "cpu", precision: Precision | None = None
) -> Models | WanModels:
    """The models in an export folder. precision: in place of the export's own.

    Raises:
        ValueError: a part is missing, or the settings are of another version.
    """
    folder = Path(folder)
    wan = (folder / PROMPTS).is_file()
    names = ("student", "codec", "sampling.json") if wan else ("student", "codec", "pose_encoder", "sampling.json")
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise ValueError(f"{folder} is not a complete export: {', '.join(missing)} missing")
    where = torch.device(device)
    settings = read_settings(folder / "sampling.json")
    settings = settings if precision is None else replace(settings, precision=precision)
    if wan:
        return _load_wan(folder, settings, where)
    student, codec = _network(Denoiser, folder / "student", where), _network(Codec, folder / "codec", where)
    arithmetic = pick_arithmetic(where, settings.precision, load_ranges(folder / RANGES))
    return Models(
        student,
        ready_to_stream(student, settings.times, arithmetic),
        in_arithmetic(codec, "codec", arithmetic),
        _network(Deformer, folder / "deformer", where) if (folder / "deformer").is_dir() else None,
        _network(PoseEncoder, folder / "pose_encoder", where),
        _motion(folder),
        settings,
        where,
    )


def _load_wan(folder: Path, settings: Settings, device: torch.device) -> WanModels:
    dtype = torch.bfloat16 if resolve_precision(device, settings.precision) == "bf16" else torch.float32
    student = _loaded("Wan transformer", folder / "student", lambda path: load_student(path, dtype).to(device).eval())
    student.requires_grad_(False)
    codec = _loaded("Wan codec", folder / "codec", lambda path: WanCodec.from_pretrained(path).to(device))
    prompts = _loaded("prompt", folder / PROMPTS, load_file)
    stream = ready_to_stream(student, settings.times, Floating(dtype))
    return WanModels(student, stream, codec, prompts["positive"][None].to(device), _motion(folder), settings, device)


def _motion(folder: Path) -> MotionModel | None:
    return _network(MotionModel, folder / "motion", torch.device("cpu")) if (folder / "motion").is_dir() else None


def _network(kind: type[Network], folder: Path, device: torch.device) -> Network:
    return _loaded(kind.__name__, folder, lambda path: kind.from_pretrained(path).to(device).eval())


def _loaded(kind: str, folder: Path, load: Callable[[Path], Loaded]) -> Loaded:
    try:
        return load(folder)
    except (ValueError, RuntimeError, OSError, SafetensorError) as error:
        why = str(error).split(". ")[0]
        raise ValueError(
            f"{folder}: not a {kind} of this version of cospeech, or damaged ({why}); export the model anew"
        ) from error


def read_settings(path: Path) -> Settings:
    """sampling.json of an export.

    Raises:
        ValueError: it is of another version.
    """
    read = json.loads(path.read_text(encoding="utf-8"))
    if differing := sorted((set(read) ^ {each.name for each in fields(Settings)}) - _LATER):
        raise ValueError(
            f"{path}: settings of another version of cospeech ({', '.join(differing)}); export the model anew"
        )
    stream = None if read["stream"] is None else StreamConfig(**read["stream"])
    return Settings(**{**read, "mask": tuple(read["mask"]), "stream": stream})
