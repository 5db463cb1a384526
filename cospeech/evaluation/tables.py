"""What reports/quality.json and reports/metrics.json say, and the tables of reports/plots."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cospeech.evaluation.aggregate import difference, missing_weights, summarise, with_set_measures
from cospeech.evaluation.clip_metrics import Measured
from cospeech.evaluation.networks_bundle import Judges
from cospeech.evaluation.segments import TRUTH, Stretch
from cospeech.harness.files import atomic_path
from cospeech.metrics.sync import REACH
from cospeech.utils.json_types import JSONObject

_ITSELF = dict.fromkeys(
    (
        "psnr", "ssim", "lpips", "lpips_face", "lpips_mouth", "lpips_hands", "lmd", "hand_pck", "identity",
        "expression", "sharpness_face", "sharpness_hands", "fid", "fvd",
    ),
    "real footage is what the others are compared with",
)  # fmt: skip
_NO_EXPERT = dict.fromkeys(("sync_c", "sync_d", "sync_offset"), "there is no lip-sync expert (models/sync)")


def model_tables(measured: Sequence[Measured], models: Sequence[str], judges: Judges, seed: int) -> JSONObject:
    """The summary of every model, and the student against the teacher, clip by clip."""
    by_model = {name: [each for each in measured if each.row["model"] == name] for name in models}
    tables: JSONObject = {}
    for name, made in by_model.items():
        reasons = missing_weights(judges.digests or {})
        reasons |= {} if judges.sync else _NO_EXPERT
        reasons |= _ITSELF if name == TRUTH else {}
        summary = summarise([each.row for each in made], reasons, seed)
        summary = with_set_measures(summary, made, by_model[TRUTH], name == TRUTH)
        sources = {"sync_source": judges.sync, "identity_source": judges.identity}
        tables[name] = {**summary, **{key: judge.source if judge else None for key, judge in sources.items()}}
    student, teacher = ([each.row for each in by_model[name]] for name in ("student", "teacher"))
    return {**tables, "student_minus_teacher": difference(student, teacher, seed)}


def clip_table(stretches: Sequence[Stretch]) -> list[JSONObject]:
    """What was measured, for the protocol."""
    return [
        {"clip": each.clip, "speaker": each.speaker, "seen": each.seen, "start": each.start, "stop": each.stop}
        for each in stretches
    ]


def write_plots(folder: Path, measured: Sequence[Measured], offsets: pd.DataFrame) -> None:
    """clips.csv (a row a clip and model), frames.csv (PSNR by frame), sync.csv (mean distance by shift), offsets.csv
    (a row a stretch of real footage)."""
    models = sorted({str(each.row["model"]) for each in measured})
    compared = [name for name in models if name != TRUTH]
    shifts = {name: _mean_curve([each.shifts for each in measured if each.row["model"] == name]) for name in models}
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        _write(temporary / "clips.csv", pd.DataFrame([each.row for each in measured]))
        curves = {name: _mean_curve([each.psnr for each in measured if each.row["model"] == name]) for name in compared}
        _write(temporary / "frames.csv", pd.DataFrame(curves).rename_axis("frame").reset_index())
        known = {name: curve for name, curve in shifts.items() if curve is not None}
        index = pd.RangeIndex(-REACH, REACH + 1, name="shift")
        _write(temporary / "sync.csv", pd.DataFrame(known, index=index).reset_index())
        _write(temporary / "offsets.csv", offsets)


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
