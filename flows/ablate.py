"""Measure a row of the paper's Table 2 as `evaluate` measures the student: `python -m flows.ablate ROW`.

Each row is a DVC stage of pipelines/ablation/dvc.yaml and a small project under .cospeech/ablation: data and models of
this project, parameters of its own, and the row's model in place of the student. The fine-tuned teacher is measured
beside it in the same process.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from cospeech.config import load_params
from cospeech.harness.files import read_json, write_json
from cospeech.harness.workspace import Workspace
from cospeech.utils.json_types import JSONObject
from flows.process.environment import PRIVATE, state_folder
from flows.process.groups import exit_on_sigterm, run_group

MEASURES = (
    "mouth_slope", "mouth_correlation", "lpips", "lpips_face", "lpips_hands", "hand_pck", "hand_missing", "identity",
    "psnr", "ssim", "lmd", "hkc", "sync_c", "sync_d",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A row of the table.

    title: the paper's name. model: the one that is measured; None: the student that `stages` train. mask: parts of the
    attention mask, in place of those in params.yaml. stages: run in the row's project. student: values that replace
    those of the section.
    """

    title: str
    model: str | None
    mask: tuple[str, ...] | None = None
    stages: tuple[str, ...] = ()
    student: Mapping[str, float] = field(default_factory=dict)


ROWS = {
    "teacher": Row("teacher, pretrained", "pretrained/teacher", mask=()),
    "fine_tuned": Row("fine-tuned", "teacher", mask=()),
    "global": Row("+ global mask", "adapted_teacher", mask=("global",), stages=("adapt_teacher",)),
    "local": Row("+ local mask", "adapted_teacher"),
    "dmd": Row("+ distribution matching", None, stages=("distill_student",), student={"region": 0.0}),
    "region": Row("+ region loss", "student"),
}
"""In the paper's order: each row adds one thing to the one above."""


def measure_row(root: Path, name: str) -> None:
    """Measure one row and write reports/ablation/NAME.json.

    Raises:
        ValueError: a stage of the row failed; its own output says why.
    """
    row, project = ROWS[name], Workspace(state_folder(root) / "ablation" / name)
    _set_up(Workspace(root), project, row)
    for stage in row.stages:
        _run(stage, project.root)
    if row.model is not None and row.model != "student":
        _place(_source(Workspace(root), project, row), project.model("student"))
    for stage in ("quantise", "evaluate"):
        _run(stage, project.root)
    metrics = read_json(project.metrics)
    figures = {measure: metrics["student"].get(measure) for measure in MEASURES}
    speed = {"fps": metrics["speed"]["student_fps"], "teacher_fps": metrics["speed"]["teacher_fps"]}
    write_json(result(root, name), {"name": row.title, **speed, **figures, "device": metrics["speed"]["device"]})


def result(root: Path, name: str) -> Path:
    return root / "reports/ablation" / f"{name}.json"


def write_table(root: Path) -> str:
    """Write reports/ablation.json, which the report shows; return the table as Markdown."""
    rows = [read_json(result(root, name)) for name in ROWS]
    write_json(root / "reports/ablation.json", rows)
    columns = ("fps", *MEASURES)
    lines = [f"| {' | '.join(('', *columns))} |", f"|{'---|' * (len(columns) + 1)}"]
    lines += [f"| {' | '.join((row['name'], *(_text(row[column]) for column in columns)))} |" for row in rows]
    return "\n".join(lines)


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


def _set_up(base: Workspace, project: Workspace, row: Row) -> None:
    """Link what the row shares with the base project, and write its parameters."""
    shutil.rmtree(project.root, ignore_errors=True)
    own = {"ranges.json"} if row.model == "student" else {"ranges.json", "student"}
    for folder in ("data", "models"):
        for source in sorted((base.root / folder).iterdir()):
            if source.name not in own:
                _place(source, project.root / folder / source.name)
    for stage in row.stages:
        made = project.model({"adapt_teacher": "adapted_teacher", "distill_student": "student"}[stage])
        made.unlink(missing_ok=True)
    params: JSONObject = yaml.safe_load((base.root / "params.yaml").read_text(encoding="utf-8"))
    if row.mask is not None:
        params["attention"]["mask"] = list(row.mask)
    if row.model not in (None, "student"):  # drawn as a teacher is, not distilled
        params["student"] |= {"steps": params["teacher"]["steps"], "regression": 0.0}
        params["attention"]["stream"] = None
    params["student"].update(row.student)
    params["evaluate"] |= {"samples": 1, "shown": 0}
    (project.root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    load_params(project.root / "params.yaml")


def _source(base: Workspace, project: Workspace, row: Row) -> Path:
    assert row.model is not None
    made = project.model(row.model)
    return made if made.exists() else base.model(row.model)


def _place(source: Path, link: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(source.resolve())


def _run(stage: str, folder: Path) -> None:
    surroundings = {**os.environ, **PRIVATE}
    if run_group([sys.executable, "-m", "flows.stage", stage], surroundings, lambda line: None, folder=folder) != 0:
        raise ValueError(f"{stage} failed in {folder}; the lines above say why")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="flows.ablate", description=__doc__)
    parser.add_argument("row", choices=[*ROWS, "table"])
    row, root = parser.parse_args(arguments).row, Path.cwd()
    exit_on_sigterm()
    try:
        if row == "table":
            print(write_table(root))
        else:
            measure_row(root, row)
    except ValueError as error:
        print(f"error in ablation {row}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
