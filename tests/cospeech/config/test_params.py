from pathlib import Path
from typing import Any

import pytest
import yaml

from cospeech.config import Params, ParamsError, load_params
from cospeech.config.section import Section

ROOT = Path(__file__).parents[3]
FILES = [ROOT / "params.yaml", *sorted((ROOT / "params").glob("*.yaml"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_parameter_file_of_the_project_is_valid(path: Path) -> None:
    load_params(path)


def broken(tmp_path: Path, change: Any) -> Path:
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    change(values)
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"media\.fps: missing key"):
        load_params(broken(tmp_path, lambda values: values["media"].pop("fps")))


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"media\.fsp: unknown key"):
        load_params(broken(tmp_path, lambda values: values["media"].update(fsp=25)))


def test_a_wrong_value_is_named_and_shown(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"media\.size: .*multiple of 16.*100"):
        load_params(broken(tmp_path, lambda values: values["media"].update(size=100)))


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [
        ("gate", {"measures": {"pnsr": {"better": "higher", "margin": 0}}}, r"gate: .*pnsr.* psnr, ssim"),
        ("targets", {"states": 3}, r"targets\.states.* 3.* teacher\.steps 20"),
        ("student", {"steps": 3}, r"student\.steps.* 3.* targets\.states 4"),
        ("evaluate", {"window": 65}, r"teacher\.max_frames 64.* evaluate\.window 65"),
    ],
)
def test_what_could_not_work_is_said_before_any_training(
    tmp_path: Path, section: str, values: dict[str, Any], said: str
) -> None:
    with pytest.raises(ParamsError, match=said) as caught:
        load_params(broken(tmp_path, lambda params: params[section].update(values)))
    assert len(str(caught.value)) < 600, "the whole file is shown"


def test_a_student_that_learns_from_no_targets_may_have_any_number_of_steps(tmp_path: Path) -> None:
    path = broken(tmp_path, lambda params: params["student"].update(steps=3, regression=0.0))
    assert load_params(path).student.steps == 3


def test_an_absent_or_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"none\.yaml"):
        load_params(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1")
    with pytest.raises(ParamsError, match=r"bad\.yaml"):
        load_params(tmp_path / "bad.yaml")


def test_sections_are_frozen_and_have_no_defaults() -> None:
    for name, field in Params.model_fields.items():
        assert field.is_required(), name
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            assert section.model_config.get("frozen"), name
            optional = [key for key, inner in section.model_fields.items() if not inner.is_required()]
            assert not optional, f"{name}: {optional}"
