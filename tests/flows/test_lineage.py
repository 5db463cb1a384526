"""Who learned from a clip, asked of what a real dvc run leaves."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from cospeech.artifacts import Curated, Ledger
from cospeech.artifacts.tables import LEDGER_COLUMNS
from cospeech.cli import main
from cospeech.footage.consent import load_revocations
from cospeech.harness.files import write_json
from cospeech.harness.workspace import Workspace
from cospeech.provenance.lineage import models_trained_on

DVC_YAML = """
stages:
  curate: {cmd: cp verdicts data/curated.parquet, deps: [verdicts], outs: [data/curated.parquet]}
  codec: {cmd: mkdir models/codec && touch models/codec/w, deps: [data/curated.parquet], outs: [models/codec]}
  latents: {cmd: mkdir data/latents, deps: [data/curated.parquet, models/codec], outs: [data/latents]}
  student: {cmd: mkdir models/student, deps: [data/curated.parquet, data/latents, seed], outs: [models/student]}
  sync: {cmd: mkdir models/sync, deps: [data/curated.parquet, seed], outs: [models/sync]}
"""


def verdicts(workspace: Workspace, trained: set[str]) -> None:
    rows = [
        dict.fromkeys(LEDGER_COLUMNS) | {"clip": clip, "uri": f"{clip}.mp4", "speaker": "s", "sha256": clip[0] * 64}
        for clip in ("a-1", "b-2", "c-3")
    ]
    table = pd.DataFrame(rows).assign(status="ok", licence="CC0-1.0", consent="written")
    Ledger(table).save(workspace.ledger)
    table = table.assign(kept=True, reasons="[]", av_offset=0.0)
    table["split"] = ["train" if clip in trained else "test" for clip in table["clip"]]
    Curated(table).save(workspace.root / "verdicts")


def dvc(root: Path, *command: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *command, "-q"], cwd=root, check=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The codec learned from a and b; student and sync were trained again after b had been taken out."""
    root = tmp_path_factory.mktemp("lineage")
    (root / "models").mkdir()
    (root / "seed").touch()
    (root / "dvc.yaml").write_text(DVC_YAML)
    dvc(root, "init", "--no-scm")
    dvc(root, "cache", "dir", "shared-cache")  # as teams that share one have it
    verdicts(Workspace(root), {"a-1", "b-2"})
    dvc(root, "repro")
    verdicts(Workspace(root), {"a-1"})
    (root / "seed").write_text("1")
    dvc(root, "repro", "--single-item", "curate", "student", "sync")
    return root


@pytest.fixture
def workspace(project: Path, tmp_path: Path) -> Workspace:
    return Workspace(shutil.copytree(project, tmp_path / "project"))


def told(workspace: Workspace, clip: str) -> dict[str, str]:
    return {each.name: each.how for each in models_trained_on(workspace, [clip])}


def test_models_are_judged_by_the_verdicts_they_were_trained_on(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(workspace, "a-1") == dict.fromkeys(("codec", "student", "sync"), "trained on it")
    assert told(workspace, "b-2") == {
        "codec": "trained on it",
        "student": "derived from latents, which was trained on it",
    }
    assert told(workspace, "c-3") == {}
    assert main(["lineage", "b-2.mp4", "--root", str(workspace.root)]) == 0
    assert "models/codec: trained on it" in capsys.readouterr().out
    assert main(["lineage", "c-3", "--root", str(workspace.root)]) == 0
    assert "no model or export" in capsys.readouterr().out
    assert main(["lineage", "C", "--root", str(workspace.root)]) == 1
    assert "c-3" in capsys.readouterr().err


def test_nothing_is_said_without_the_verdicts(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (workspace.root / "shared-cache/files/md5").glob("*/*"):
        path.chmod(0o644)
        path.unlink()
    assert main(["lineage", "b-2", "--root", str(workspace.root)]) == 1
    assert "dvc fetch" in capsys.readouterr().err


def test_revoking_marks_and_names_exports(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    clips = [{"clip": "b-2", "sha256": "b" * 64}]
    for name in ("spring", "summer"):
        write_json(workspace.exports / f"{name}-0123.json", {"name": name, "training_clips": clips})
    write_json(workspace.exports / "autumn-4567.json", {"name": "autumn", "training_clips": []})
    command = ["revoke", "b-2", "--reason", "asked\nby mail", "--root", str(workspace.root)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "retire spring" in said
    assert "retire summer" in said
    assert "autumn" not in said
    [mark] = load_revocations(workspace.revoked)
    assert (mark.clip, mark.uri, mark.sha256, mark.reason) == ("b-2", "b-2.mp4", "b" * 64, "asked by mail")
    assert main(command) == 0
    assert "already revoked" in capsys.readouterr().out
    assert len(load_revocations(workspace.revoked)) == 1
    assert main(["lineage", "b-2", "--root", str(workspace.root)]) == 0
    assert "consent: revoked on" in capsys.readouterr().out
    assert json.loads((workspace.exports / "spring-0123.json").read_text())["name"] == "spring"


def test_revoking_a_duplicate_reaches_its_twin(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    table = Ledger.load(workspace.ledger).table
    twin = table[table["clip"] == "b-2"].assign(clip="b-again", uri="again.mp4", status="refused", reason="the same")
    lost = twin.assign(clip="x-9", uri="x.mp4", sha256=None, reason="no such file")
    other = lost.assign(clip="y-9", uri="y.mp4")
    Ledger(pd.concat([table, twin, lost, other])).save(workspace.ledger)
    root = ["--root", str(workspace.root)]
    assert main(["lineage", "again.mp4", *root]) == 0
    assert "models/codec: trained on it" in capsys.readouterr().out
    assert main(["revoke", "again.mp4", *root]) == main(["revoke", "x.mp4", *root]) == 0
    assert [mark.sha256 for mark in load_revocations(workspace.revoked)] == ["b" * 64, ""]
    capsys.readouterr()
    for clip, told in (("b-2", True), ("x-9", True), ("y-9", False), ("a-1", False)):
        assert main(["lineage", clip, *root]) == 0
        assert ("consent: revoked on" in capsys.readouterr().out) == told
