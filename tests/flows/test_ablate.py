"""What each row of the ablation is: its models and parameters. That rows are measured is the evaluation's own test."""

from pathlib import Path

import pytest
import yaml

from cospeech.config import load_params
from cospeech.harness.files import read_json, write_json
from cospeech.harness.workspace import Workspace
from flows.ablate import MEASURES, ROWS, _set_up, result, write_table


@pytest.fixture(params=["params.yaml", "params/smoke.yaml"])
def base(tmp_path: Path, repository: Path, request: pytest.FixtureRequest) -> Workspace:
    root = tmp_path / "base"
    for name in ("codec", "teacher", "adapted_teacher", "student", "pretrained/teacher"):
        (root / "models" / name).mkdir(parents=True)
        (root / "models" / name / "config.json").write_text(name, encoding="utf-8")
    (root / "data/poses").mkdir(parents=True)
    (root / "params.yaml").write_text((repository / request.param).read_text(encoding="utf-8"), encoding="utf-8")
    return Workspace(root)


def project(base: Workspace, tmp_path: Path, name: str) -> Workspace:
    made = Workspace(tmp_path / name)
    _set_up(base, made, ROWS[name])
    return made


def test_rows_share_data_and_models_but_what_they_make_themselves(base: Workspace, tmp_path: Path) -> None:
    for name, row in ROWS.items():
        made = project(base, tmp_path, name)
        assert (made.root / "data/poses").resolve() == base.root / "data/poses"
        assert made.model("teacher").resolve() == base.model("teacher")
        assert made.model("adapted_teacher").exists() is ("adapt_teacher" not in row.stages)
        assert made.model("student").exists() is (row.model == "student")


def test_parameters_differ_from_the_base_in_what_the_row_is_about_alone(base: Workspace, tmp_path: Path) -> None:
    whole = load_params(base.root / "params.yaml")
    params = {name: load_params(project(base, tmp_path, name).root / "params.yaml") for name in ROWS}
    assert params["teacher"].attention.mask == params["fine_tuned"].attention.mask == ()
    assert params["global"].attention.mask == ("global",)
    assert params["local"].attention.mask == whole.attention.mask
    assert params["dmd"].attention == params["region"].attention == whole.attention
    assert {params[name].student.steps for name in ("teacher", "fine_tuned", "global", "local")} == {
        whole.teacher.steps
    }
    assert params["dmd"].student.region == 0
    assert params["region"].student == whole.student
    for each in params.values():
        assert each.teacher == whole.teacher
        assert each.codec == whole.codec


def test_the_table_has_a_row_each_and_leaves_empty_what_was_not_measured(tmp_path: Path) -> None:
    for place, name in enumerate(ROWS):
        figures = dict.fromkeys(MEASURES, 0.5 + place)
        write_json(result(tmp_path, name), {"name": name, "fps": 10.0 + place, **figures, "sync_c": None})
    table = write_table(tmp_path).splitlines()
    assert len(table) == 2 + len(ROWS)
    assert table[3].startswith("| fine_tuned | 11.00 | 1.50 |")
    assert table[3].split("|")[2 + 1 + MEASURES.index("sync_c")].strip() == ""
    assert [row["name"] for row in read_json(tmp_path / "reports/ablation.json")] == list(ROWS)


def test_dvc_knows_every_row(repository: Path) -> None:
    stages = yaml.safe_load((repository / "pipelines/ablation/dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert stages["row"]["matrix"]["name"] == list(ROWS)
    assert {f"reports/ablation/{name}.json" for name in ROWS} <= set(stages["table"]["deps"])
