"""What a `dvc repro` that was cut short still had to run, asked of the real dvc."""

import subprocess
import sys
from pathlib import Path

import pytest

from flows.undone import targets_of, undone

GRAPH = """
stages:
  draw: {cmd: "mkdir -p made; date +%N > made/drawn", outs: [made], always_changed: true}
  count: {cmd: "wc made/drawn > counted", deps: [made, code], outs: [counted]}
  tell: {cmd: "cat counted > told", deps: [counted], outs: [told]}
"""
REPRO = ["python", "-m", "dvc", "repro"]


def test_what_was_left_is_named_and_what_was_edited_is_not(tmp_path: Path) -> None:
    def dvc(*arguments: str) -> None:
        subprocess.run([sys.executable, "-m", "dvc", *arguments, "-q"], cwd=tmp_path, check=True)

    (tmp_path / "dvc.yaml").write_text(GRAPH)
    (tmp_path / "code").write_text("first")
    dvc("init", "--no-scm")
    dvc("repro", "draw")
    assert undone(tmp_path, REPRO) == ["count", "tell"]
    assert undone(tmp_path, [*REPRO, "draw"]) == []
    dvc("repro")
    (tmp_path / "code").write_text("second")
    assert undone(tmp_path, REPRO) == []
    dvc("repro", "count", "--single-item")
    (tmp_path / "made/drawn").unlink()
    dvc("repro", "draw")
    assert undone(tmp_path, REPRO) == ["count"]


@pytest.mark.parametrize(
    ("command", "targets"),
    [
        ("dvc repro", []),
        ("python -m dvc repro -f -v draw count", ["draw", "count"]),
        ("dvc repro ablation/dvc.yaml", ["ablation/dvc.yaml"]),
        ("dvc repro --downstream draw", None),
        ("dvc repro -s draw", None),
        ("dvc exp run", None),
        ("", None),
    ],
)
def test_targets_are_those_that_dvc_was_given(command: str, targets: list[str] | None) -> None:
    assert targets_of(command.split()) == targets
