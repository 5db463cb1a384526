"""What reports/metrics.json says, and the tables of reports/plots."""

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from stages.lib.evaluation.drawing import Drawn
from stages.lib.evaluation.measure import Measured, Stretch, summarise
from stages.lib.files import atomic_path
from stages.lib.metrics.speed import SpeedSummary
from stages.lib.metrics.speed import summarise as summarise_speed
from stages.lib.metrics.sync import REACH

_SYNC_SOURCE = "lip-sync expert trained on this corpus (models/sync), not the published SyncNet"
_ITSELF = dict.fromkeys(("psnr", "ssim", "lmd", "hand_pck"), "real footage is what the others are compared with")
_NO_EXPERT = dict.fromkeys(("sync_c", "sync_d", "sync_offset"), "there is no lip-sync expert (models/sync)")


def model_tables(measured: Sequence[Measured], models: Sequence[str], expert: bool) -> dict[str, Any]:
    """The summary of every model; `expert`: whether lip-sync was measured."""
    tables = {}
    for model in models:
        reasons = {**(_ITSELF if model == "ground_truth" else {}), **({} if expert else _NO_EXPERT)}
        rows = [each.row for each in measured if each.row["model"] == model]
        tables[model] = {**summarise(rows, reasons), "sync_source": _SYNC_SOURCE if expert else None}
    return tables


def speed_table(drawn: Mapping[str, Sequence[Drawn]], device: torch.device) -> dict[str, Any]:
    """Frames per second of teacher and student, measured in this process, warmed up; not the same on every run."""
    total = {name: _speed(takes, "seconds") for name, takes in drawn.items()}
    table: dict[str, Any] = {f"{name}_fps": summary.fps for name, summary in total.items()}
    table["ratio"] = total["student"].fps / total["teacher"].fps
    table["device"] = device_name(device)
    table["threads"] = torch.get_num_threads()
    for name, takes in drawn.items():
        table[name] = {
            "median_ms": total[name].median_ms,
            "p95_ms": total[name].p95_ms,
            "condition_ms": _speed(takes, "condition_seconds").median_ms,
            "denoise_ms": _speed(takes, "denoise_seconds").median_ms,
            "decode_ms": _speed(takes, "decode_seconds").median_ms,
        }
    return table


def _speed(takes: Sequence[Drawn], what: str) -> SpeedSummary:
    return summarise_speed([getattr(take, what) for take in takes], [len(take.frames) for take in takes])


def device_name(device: torch.device) -> str:
    """The name of the GPU, or of the processor and how many of its cores are used."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, {torch.get_num_threads()} threads"


def clip_table(stretches: Sequence[Stretch]) -> list[dict[str, Any]]:
    """What was measured, for the protocol."""
    return [
        {"clip": each.clip, "speaker": each.speaker, "seen": each.seen, "start": each.start, "stop": each.stop}
        for each in stretches
    ]


def write_plots(folder: Path, measured: Sequence[Measured]) -> None:
    """clips.csv (a row a clip and model), frames.csv (PSNR by frame), sync.csv (mean distance by shift)."""
    models = sorted({str(each.row["model"]) for each in measured})
    compared = [name for name in models if name != "ground_truth"]
    shifts = {name: _mean_curve([each.shifts for each in measured if each.row["model"] == name]) for name in models}
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        _write(temporary / "clips.csv", pd.DataFrame([each.row for each in measured]))
        curves = {name: _mean_curve([each.psnr for each in measured if each.row["model"] == name]) for name in compared}
        _write(temporary / "frames.csv", pd.DataFrame(curves).rename_axis("frame").reset_index())
        known = {name: curve for name, curve in shifts.items() if curve is not None}
        index = pd.RangeIndex(-REACH, REACH + 1, name="shift")
        _write(temporary / "sync.csv", pd.DataFrame(known, index=index).reset_index())


def _mean_curve(curves: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """Mean over curves, which may end early; None where there is none."""
    known = [curve for curve in curves if curve is not None]
    if not known:
        return None
    padded = np.full((len(known), max(map(len, known))), np.nan)
    for row, curve in zip(padded, known, strict=True):
        row[: len(curve)] = curve
    return np.nanmean(padded, axis=0)


def _write(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
