"""What a `dvc repro` that was cut short still had to run, asked of the real dvc."""

import subprocess
import sys
from pathlib import Path

import pytest

from flows.graph import load_lock
from flows.runs.unfinished import targets_of, undone

FIRST = """
stages:
  draw: {wdir: ../.., cmd: "mkdir -p made; date +%N > made/drawn", outs: [made], always_changed: true}
"""
GRAPH = """
stages:
  count: {cmd: "wc made/drawn > counted", deps: [made, code], outs: [counted]}
  tell: {cmd: "cat counted > told", deps: [counted], outs: [told]}
"""
REPRO = ["python", "-m", "dvc", "repro"]


def test_what_was_left_is_named_and_what_was_edited_is_not(tmp_path: Path) -> None:
    def dvc(*arguments: str) -> None:
        subprocess.run([sys.executable, "-m", "dvc", *arguments, "-q"], cwd=tmp_path, check=True)

    (tmp_path / "pipelines/sources").mkdir(parents=True)
    (tmp_path / "pipelines/sources/dvc.yaml").write_text(FIRST)
    (tmp_path / "dvc.yaml").write_text(GRAPH)
    (tmp_path / "code").write_text("first")
    dvc("init", "--no-scm")
    dvc("repro", "pipelines/sources/dvc.yaml:draw")
    assert undone(tmp_path, REPRO) == ["count", "tell"]
    assert undone(tmp_path, [*REPRO, "pipelines/sources/dvc.yaml:draw"]) == []
    assert undone(tmp_path, [*REPRO, "count"]) == ["count"]
    dvc("repro")
    (tmp_path / "code").write_text("second")
    assert undone(tmp_path, REPRO) == []
    dvc("repro", "count", "--single-item")
    (tmp_path / "made/drawn").unlink()
    dvc("repro", "pipelines/sources/dvc.yaml:draw")
    assert undone(tmp_path, REPRO) == ["count"]


@pytest.mark.parametrize(
    ("command", "targets"),
    [
        ("dvc repro", []),
        ("python -m dvc repro -f -v draw count", ["draw", "count"]),
        ("dvc repro pipelines/ablation/dvc.yaml", ["pipelines/ablation/dvc.yaml"]),
        ("dvc repro --downstream draw", None),
        ("dvc repro -s draw", None),
        ("dvc exp run", None),
        ("", None),
    ],
)
def test_targets_are_those_that_dvc_was_given(command: str, targets: list[str] | None) -> None:
    assert targets_of(command.split()) == targets


def test_what_an_earlier_graph_left_in_the_lock_file_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "pipelines/sources").mkdir(parents=True)
    (tmp_path / "pipelines/sources/dvc.yaml").write_text(FIRST)
    (tmp_path / "dvc.yaml").write_text(GRAPH)
    (tmp_path / "dvc.lock").write_text("stages: {draw: {cmd: old}, count: {cmd: wc}}\n")
    (tmp_path / "pipelines/sources/dvc.lock").write_text("stages: {draw: {cmd: new}}\n")
    assert load_lock(tmp_path) == {"draw": {"cmd": "new"}, "count": {"cmd": "wc"}}
