"""A stage that two launched processes run together: one of them writes, and another stage refuses."""

import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml

from cospeech.config import load_params
from cospeech.harness.stage_report import StageReport
from cospeech.models.transformers.denoiser import Denoiser
from flows.stage import check_batches
from tests.stages.tiny_project import make_project

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def root(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny project that can be started from outside: a batch of two windows, float32, on the CPU."""
    root = make_project(tmp_path_factory.mktemp("project")).root
    params = yaml.safe_load((repository / "params/smoke.yaml").read_text(encoding="utf-8"))
    params["compute"]["device"] = "cpu"
    params["teacher"]["precision"] = "fp32"
    params["adapt"]["batch"] = 2
    (root / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    for folder in ("flows", "stages", "cospeech"):
        shutil.copytree(repository / folder, root / folder)
    return root


def start(root: Path, *launcher: str, stage: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PREFECT_API_URL": "http://127.0.0.1:9/api", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *launcher, "-m", "flows.stage", stage],
        cwd=root, env=environment, capture_output=True, text=True, timeout=800,
    )  # fmt: skip


TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


def test_two_processes_train_what_one_does_and_one_of_them_writes(root: Path) -> None:
    def adapted(*launcher: str) -> tuple[StageReport, dict]:
        ran = start(root, *launcher, stage="adapt_teacher")
        assert ran.returncode == 0, ran.stderr[-4000:]
        assert ran.stderr.count("adapt_teacher: teacher adapted") == 1
        folder = root / "reports/stages/adapt_teacher"
        return StageReport.load(folder), Denoiser.from_pretrained(root / "models/adapted_teacher").state_dict()

    (one, weights), (two, others) = adapted(), adapted(*TWO)
    assert float(two.figures["loss"] or 0) == pytest.approx(float(one.figures["loss"] or 0), abs=1e-5)
    for name, weight in weights.items():
        assert (weight - others[name]).abs().max() < 1e-4, name


def test_a_stage_that_does_not_train_together_says_so(root: Path) -> None:
    ran = start(root, *TWO, stage="encode_latents")
    assert ran.returncode != 0
    assert "encode_latents runs in one process, 2 were launched" in ran.stderr


@pytest.mark.parametrize(("batch", "said"), [(1, "adapt.batch is 1, .* 3 processes"), (6, None)])
def test_a_batch_is_looked_at_before_training(
    repository: Path, monkeypatch: pytest.MonkeyPatch, batch: int, said: str | None
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    params = load_params(repository / "params.yaml")
    params = params.model_copy(update={"adapt": params.adapt.model_copy(update={"batch": batch})})
    with pytest.raises(ValueError, match=said) if said else nullcontext():
        check_batches("adapt_teacher", params)


def test_a_batch_that_is_not_used_may_be_any(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    params = load_params(repository / "params.yaml")
    only_windows = params.teacher.model_copy(update={"batch": 1, "window_batch": 3, "window_share": 1.0})
    check_batches("train_teacher", params.model_copy(update={"teacher": only_windows}))
    with pytest.raises(ValueError, match=r"teacher\.batch is 1"):
        check_batches(
            "train_teacher",
            params.model_copy(update={"teacher": only_windows.model_copy(update={"window_share": 0.5})}),
        )
