"""The whole pipeline by `dvc repro`, on params/smoke.yaml, in a clone of HEAD. One story, told in order."""

import re
import shutil
import subprocess
import time
from dataclasses import dataclass

import pandas as pd
import pytest

from cospeech.artifacts import Curated
from cospeech.harness.clip_cache import record_path
from cospeech.harness.files import read_json
from cospeech.harness.workspace import Workspace
from cospeech.provenance.bundle import check_bundle
from cospeech.registry.versions import Registry, weights_digest
from flows.graph import load_graph, outputs
from tests.e2e.clone import TEST, TRAIN, Clone, pick

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def clone(whole: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A copy of the finished run."""
    root = shutil.copytree(whole.root, tmp_path_factory.mktemp("e2e") / "cospeech", symlinks=True)
    return Clone(root, whole.rows)


def test_every_stage_leaves_what_it_promises(clone: Clone) -> None:
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


def test_nothing_but_the_lock_files_is_new_for_git(clone: Clone) -> None:
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=clone.root, check=True, capture_output=True, text=True
    ).stdout
    changed = {line[3:] for line in status.splitlines()}
    assert changed == {"dvc.lock", "pipelines/sources/dvc.lock", "params.yaml", "footage/"}


def test_a_second_run_has_nothing_to_do(clone: Clone) -> None:
    started = time.monotonic()
    output = clone.run("dvc", "repro")
    assert re.findall(r"Running stage '(\S+)'", output) == ["pipelines/sources/dvc.yaml:list_sources"]
    assert time.monotonic() - started < 15  # about 2 s on an idle machine


@dataclass(frozen=True)
class Retraining:
    """revoked: a clip that the model in production learned from. output: of the second retraining, which brought one
    clip more."""

    revoked: str
    output: str


@pytest.fixture(scope="module")
def retraining(clone: Clone, tmp_path_factory: pytest.TempPathFactory) -> Retraining:
    """What there is goes into production; then a consent is revoked, and footage comes."""
    clone.run("flows.retraining.retrain")
    clip = Curated.load(Workspace(clone.root).curated).clips("train")[0]
    learned = clone.run("cospeech.cli", "lineage", clip)
    for model in ("codec", "teacher", "student", "motion", "sync", "export"):
        assert f"models/{model}" in learned
    assert "retire cospeech-demo (models/export)" in clone.run("cospeech.cli", "revoke", clip)
    inbox = tmp_path_factory.mktemp("inbox")
    chosen = pick(clone.rows)
    clone.use([*chosen, next(row for row in clone.rows if row not in chosen)], inbox)
    return Retraining(clip, clone.run("flows.retraining.retrain", "--footage", str(inbox)))


def test_what_came_is_extracted_and_nothing_else(clone: Clone, retraining: Retraining) -> None:
    assert f"footage: 1 new videos, {TRAIN + TEST} known, 0 failed" in retraining.output
    for stage in ("ingest", "extract_poses", "extract_audio"):
        record = pd.read_parquet(record_path(Workspace(clone.root).store, stage))
        assert len(record) == TRAIN + TEST, stage  # one came, one was revoked
        assert (~record["reused"].astype(bool)).sum() == 1, stage


def test_a_revoked_clip_leaves_everything_and_names_the_export_to_retire(clone: Clone, retraining: Retraining) -> None:
    workspace, clip = Workspace(clone.root), retraining.revoked
    assert f"{clip}, whose consent was revoked" in retraining.output
    left = [path for folder in ("data", "reports/samples") for path in (clone.root / folder).rglob(f"{clip}*")]
    assert left == []
    learned = read_json(workspace.model("export") / "provenance.json")["training_clips"]
    assert clip not in {row["clip"] for row in learned}
    assert "no model or export" not in clone.run("cospeech.cli", "lineage", clip)  # the earlier export is remembered
    assert check_bundle(workspace.model("export")).problems == []


def test_the_new_model_was_judged_against_the_one_in_production(clone: Clone, retraining: Retraining) -> None:
    registry = Registry.at("models/registry", None, clone.root)
    first, second = registry.state().history
    assert (first["action"], first["version"]) == ("promoted", "v0001")
    assert second["figures"], second
    assert second["reason"] in retraining.output
    promoted = registry.state().production == "v0002"
    assert second["action"] == ("promoted" if promoted else "kept")
    current = weights_digest(Workspace(clone.root).model("export"))
    assert (registry.index(registry.state().production or "")["digest"] == current) is promoted
