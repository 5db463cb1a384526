"""The stage train_codec where Wan's codec is taken as it is: nothing is trained, prompts are encoded."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan

from cospeech.artifacts import Curated
from cospeech.families.wan.config import WanSettings
from cospeech.families.wan.fetch import fetch
from cospeech.families.wan.text import encode_prompts
from cospeech.harness.files import atomic_path
from cospeech.harness.stage_report import Figure, StageReport
from cospeech.harness.workspace import Workspace
from cospeech.media import read_frames
from cospeech.metrics.image import psnr
from cospeech.models.autoencoders.wan_vae import PROMPTS, WanCodec
from cospeech.plots.contact_sheet import save_sheet
from cospeech.utils.images import to_images, to_tensor
from cospeech.utils.json_types import JSONValue

_TESTED = 17
"""Frames of each held-out clip that go through the codec and back: 1 and a multiple of 4."""
_SHOWN = 4


def take_codec(
    wan: Mapping[str, JSONValue], workspace: Workspace, curated: Curated, device: torch.device
) -> StageReport:  # fmt: skip
    """Writes models/codec/vae and models/codec/prompts.safetensors; how well it rebuilds held-out clips."""
    settings = WanSettings(**wan)
    with atomic_path(workspace.model("codec")) as folder:
        folder.mkdir()
        codec = import_codec(settings, folder, device)
    shown, scores = [], []
    for clip in curated.clips("test"):
        frames = read_frames(workspace.video(clip))[:_TESTED]
        frames = frames[: 1 + (len(frames) - 1) // codec.stride * codec.stride]
        with torch.no_grad():
            rebuilt = to_images(codec.decode_video(codec.encode_video(to_tensor(frames).to(device))))
        scores.append(float(psnr(rebuilt, frames).mean()))
        shown.append((frames[-1], rebuilt[-1]))
    figures: dict[str, Figure] = {
        "parameters": sum(weight.numel() for weight in codec.parameters()),
        "psnr": float(np.mean(scores)) if scores else None,
    }
    pictures = {}
    if shown:
        columns = [np.stack(each) for each in zip(*shown[:_SHOWN], strict=True)]
        sheet = save_sheet(workspace.stage_report("train_codec") / "held_out.png", columns)
        pictures["held-out frames: real, rebuilt"] = sheet
    quality = f"{figures['psnr']:.2f} dB on held-out clips" if scores else "no held-out clips"
    summary = f"Wan's codec and prompts taken from {settings.teacher}: {quality}"
    return StageReport("train_codec", summary, figures, pictures=pictures)


def import_codec(settings: WanSettings, folder: Path, device: torch.device) -> WanCodec:
    """Save the codec and the encoded prompts of the teacher's pipeline to `folder`; return the codec.

    Raises:
        ValueError: no usable pipeline at `wan.teacher`.
    """
    codec = WanCodec(fetch(settings, "teacher", lambda: _load_vae(settings)))
    codec.save_pretrained(folder / "vae")
    words = settings.prompt, settings.negative_prompt
    encode_prompts(settings.teacher, settings.hub, *words, device).save(folder / PROMPTS)
    return codec.to(device)


def _load_vae(settings: WanSettings) -> AutoencoderKLWan:
    return AutoencoderKLWan.from_pretrained(settings.teacher, subfolder="vae", local_files_only=not settings.hub)
