"""The stage train_codec where Wan's codec is taken as it is: nothing is trained, prompts are encoded."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from stages.lib.artifacts import Curated
from stages.lib.family import WanSettings
from stages.lib.files import atomic_path
from stages.lib.media import read_frames
from stages.lib.metrics.pictures import psnr
from stages.lib.pixels import to_pictures, to_tensor
from stages.lib.preview import save_sheet
from stages.lib.report import Figure, StageReport
from stages.lib.wan.family import WanFamily
from stages.lib.workspace import Workspace

_TESTED = 17
"""Frames of each held-out clip that go through the codec and back: 1 and a multiple of 4."""
_SHOWN = 4


def take_codec(
    wan: Mapping[str, Any], workspace: Workspace, curated: Curated, device: torch.device
) -> StageReport:  # fmt: skip
    """Writes models/codec/vae and models/codec/prompts.safetensors; how well it rebuilds held-out clips."""
    settings = WanSettings(**wan)
    with atomic_path(workspace.model("codec")) as folder:
        folder.mkdir()
        codec = WanFamily(settings, "fp32", 0).take_codec(folder, device)
    shown, scores = [], []
    for clip in curated.clips("test"):
        frames = read_frames(workspace.video(clip))[:_TESTED]
        frames = frames[: 1 + (len(frames) - 1) // codec.stride * codec.stride]
        with torch.no_grad():
            rebuilt = to_pictures(codec.decode_video(codec.encode_video(to_tensor(frames).to(device))))
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
