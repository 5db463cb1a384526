"""The whole pipeline by `dvc repro`, on params/smoke.yaml, in a clone of HEAD. One story, told in order."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest

from flows.graph import load_graph, outputs
from stages.lib.artifacts import Curated
from stages.lib.files import read_json
from stages.lib.provenance.bundle import check_bundle
from stages.lib.store import record_path
from stages.lib.workspace import Workspace
from tests.e2e.clone import Clone, make_clone

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

TRAIN, TEST = 3, 1


@pytest.fixture(scope="module")
def clone(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    clone = make_clone(repository, tmp_path_factory.mktemp("e2e") / "cospeech")
    clone.set("source: data/demo", "source: footage")
    clone.use(_pick(clone.rows))
    return clone


def _pick(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """A test clip of a speaker with training clips, these clips, and training clips of others."""
    trained = {row["speaker"] for row in rows if row["split"] != "test"}
    test = next(row for row in rows if row["split"] == "test" and row["speaker"] in trained)
    train = sorted((row for row in rows if row["split"] != "test"), key=lambda row: row["speaker"] != test["speaker"])
    return [*train[:TRAIN], test]


@pytest.fixture(scope="module")
def first_run(clone: Clone) -> str:
    return clone.run("flows.pipeline")


def test_every_stage_leaves_what_it_promises(clone: Clone, first_run: str) -> None:
    missing = [path for path in outputs(clone.root) if not path.exists()]
    assert not missing
    for stage in set(load_graph(clone.root)) - {"list_sources"}:  # that one is too short for a report
        report = read_json(clone.root / f"reports/stages/{stage}/report.json")
        assert report["stage"] == stage
        assert report["summary"]
    metrics = read_json(Workspace(clone.root).metrics)
    for model in ("teacher", "student"):
        assert metrics[model]["psnr"] > 5
    assert (metrics["speed"]["ratio"]) > 0
    assert list(Workspace(clone.root).samples.rglob("*.mp4"))


def test_nothing_but_the_lock_file_is_new_for_git(clone: Clone, first_run: str) -> None:
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=clone.root, check=True, capture_output=True, text=True
    ).stdout
    changed = {line[3:] for line in status.splitlines()}
    assert changed == {"dvc.lock", "params.yaml", "footage/"}


def test_a_second_run_has_nothing_to_do(clone: Clone, first_run: str) -> None:
    started = time.monotonic()
    output = clone.run("dvc", "repro")
    assert re.findall(r"Running stage '(\w+)'", output) == ["list_sources"]
    assert time.monotonic() - started < 15  # about 2 s on an idle machine


def test_a_killed_stage_run_again_gives_the_same_bytes(clone: Clone, first_run: str) -> None:
    before = clone.hashes("train_codec")
    force = ("dvc", "repro", "--force", "--single-item", "train_codec")
    process = clone.start(*force)
    lock = clone.root / ".cospeech/locks/train_codec.lock"
    deadline = time.monotonic() + 60
    while not lock.read_text(encoding="utf-8"):  # holds its holder's name while the stage runs
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(3)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    clone.run(*force)
    assert clone.hashes("train_codec") == before


def test_one_clip_more_costs_one_extraction(clone: Clone, first_run: str) -> None:
    chosen = _pick(clone.rows)
    clone.use([*chosen, next(row for row in clone.rows if row not in chosen)])
    clone.run("dvc", "repro", "curate")
    for stage in ("ingest", "extract_poses", "extract_audio"):
        record = pd.read_parquet(record_path(Workspace(clone.root).store, stage))
        assert len(record) == TRAIN + TEST + 1, stage
        assert (~record["reused"].astype(bool)).sum() == 1, stage


def test_a_revoked_clip_leaves_everything_and_names_the_export_to_retire(clone: Clone, first_run: str) -> None:
    workspace = Workspace(clone.root)
    clip = Curated.load(workspace.curated).clips("train")[0]
    learned = clone.run("stages.cli", "lineage", clip)
    for model in ("codec", "teacher", "student", "motion", "sync", "export"):
        assert f"models/{model}" in learned
    assert "retire cospeech-demo (models/export)" in clone.run("stages.cli", "revoke", clip)
    output = clone.run("flows.pipeline")
    assert f"it learned from {clip}, whose consent was revoked" in output
    left = [path for folder in ("data", "reports/samples") for path in (clone.root / folder).rglob(f"{clip}*")]
    assert left == []
    assert clip not in {
        row["clip"] for row in read_json(workspace.model("export") / "provenance.json")["training_clips"]
    }
    assert "no model or export" not in clone.run("stages.cli", "lineage", clip)  # the earlier export is remembered
    assert check_bundle(workspace.model("export")).problems == []
