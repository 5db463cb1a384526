"""The whole pipeline by `dvc repro`, on params/smoke.yaml, in a clone of HEAD. One story, told in order."""

import re
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
from tests.e2e.clone import TEST, TRAIN, Clone, make_small_clone, pick
from tests.e2e.faults import disturb

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def clone(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return make_small_clone(repository, tmp_path_factory.mktemp("e2e") / "cospeech")


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


@pytest.mark.parametrize("seed", [2, 5, 36])
def test_killed_at_a_random_point_the_next_run_ends_as_if_nothing_had_been(
    clone: Clone, first_run: str, tmp_path: Path, seed: int
) -> None:
    """A worker of a pool, dvc, the Prefect server, in short stages; more: python -m tests.e2e.faults."""
    outcome = disturb(clone, seed, tmp_path)
    assert outcome.problems == [], outcome


def test_one_clip_more_costs_one_extraction(clone: Clone, first_run: str) -> None:
    chosen = pick(clone.rows)
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
