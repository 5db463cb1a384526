"""Retraining: judged by the real evaluation, promoted, kept out, skipped; served and told on a real Prefect server."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
import yaml

from cospeech.config import Params
from cospeech.config.results import RegistrySection, RuleSection
from cospeech.harness.workspace import Workspace
from cospeech.models.transformers.denoiser import Denoiser
from cospeech.registry.versions import Registry
from flows.process.locks import exclusive
from flows.retraining.evaluate_production import candidate_rows, production_rows
from flows.retraining.promote import judge
from flows.retraining.retrain import main as retrain_main
from flows.retraining.schedule import deployments
from stages import evaluate, export
from tests.flows.conftest import NOBODY
from tests.flows.support import prefect_client, wait_for
from tests.stages.tiny_run import context_of, make_workspace, tiny_params


@pytest.fixture(scope="module")
def params(repository: Path) -> Params:
    """PSNR alone decides, as the models are untrained; two clips are few, so the interval is wide."""
    params = tiny_params(repository)
    psnr = RuleSection(better="higher", margin=0.0)
    gate = params.gate.model_copy(update={"measures": {"psnr": psnr}, "clips": 2})
    registry = RegistrySection(location="models/registry", endpoint_url=None)
    return params.model_copy(update={"gate": gate, "registry": registry})


@pytest.fixture(scope="module")
def good(params: Params, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """An evaluated, exported model."""
    workspace = make_workspace(tmp_path_factory.mktemp("good"))
    evaluate.run(params, context_of(workspace))
    export.run(params, context_of(workspace))
    return workspace


def spoil(workspace: Workspace, params: Params) -> None:
    """The student draws noise now; evaluated and exported like any other."""
    student = Denoiser.from_pretrained(workspace.model("student"))
    torch.manual_seed(1)
    torch.nn.init.normal_(student.conv_last.weight, std=3.0)
    student.save_pretrained(workspace.model("student"))
    evaluate.run(params, context_of(workspace))
    export.run(params, context_of(workspace))


def test_the_model_in_production_is_measured_as_the_candidate_was(good: Workspace, params: Params) -> None:
    """On itself: the very numbers that evaluate wrote, also where the parameters no longer have its own sampling."""
    changed = params.model_copy(update={"teacher": params.teacher.model_copy(update={"temperature": 1.0})})
    assert params.teacher.temperature != 1
    for each in (params, changed):
        assert production_rows(good.model("export"), each, context_of(good)) == candidate_rows(good)
    assert not (good.scratch / "production").exists()


def test_a_model_from_before_there_was_a_deformer_is_measured_without(
    good: Workspace, params: Params, tmp_path: Path
) -> None:
    bundle = shutil.copytree(good.model("export"), tmp_path / "bundle")
    shutil.rmtree(bundle / "deformer")
    rows = production_rows(bundle, params, context_of(good))
    assert rows.keys() == candidate_rows(good).keys()
    assert rows != candidate_rows(good)


def test_a_worse_model_does_not_replace_a_better_one_and_a_better_one_does(
    good: Workspace, params: Params, tmp_path: Path
) -> None:
    workspace = Workspace(shutil.copytree(good.root, tmp_path / "project"))
    context, registry = context_of(workspace), Registry.at("models/registry", None, workspace.root)
    decision, version = judge(params, context)
    assert (decision.promote, version) == (True, "v0001")
    decision, version = judge(params, context)
    assert (decision.promote, version) == (False, "v0001")
    assert "equals v0001" in decision.reason
    spoil(workspace, params)
    decision, version = judge(params, context)
    assert (decision.promote, version) == (False, "v0001")
    assert "not above +0" in decision.reason
    assert [entry["action"] for entry in registry.state().history] == ["promoted", "kept", "kept"]
    assert registry.state().history[-1]["figures"]["psnr"]["high"] < 0

    registry.promote(workspace.model("export"), {"when": "now", "reason": "by hand: to see it replaced"})
    shutil.rmtree(workspace.model("export"))
    shutil.copytree(good.model("export"), workspace.model("export"))
    shutil.copytree(good.plots, workspace.plots, dirs_exist_ok=True)
    decision, version = judge(params, context)
    assert (decision.promote, version) == (True, "v0003"), decision.reason
    assert "above +0" in decision.reason


def test_a_model_of_another_size_cannot_be_compared_and_stays(good: Workspace, params: Params, tmp_path: Path) -> None:
    workspace = Workspace(shutil.copytree(good.root, tmp_path / "project"))
    judge(params, context_of(workspace))
    for path in workspace.model("export").glob("student/*.safetensors"):
        path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")
    media = params.media.model_copy(update={"size": 128})
    decision, version = judge(params.model_copy(update={"media": media}), context_of(workspace))
    assert (decision.promote, version) == (False, "v0001")
    assert "draws 64 px" in decision.reason


def test_prefect_yaml_is_what_is_served(repository: Path) -> None:
    [nightly] = deployments(repository)
    assert nightly["name"] == "nightly"
    assert nightly["schedules"][0]["cron"] == "0 2 * * *"


def test_a_second_run_in_this_folder_is_skipped_and_says_so(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("PREFECT_API_URL", NOBODY)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with exclusive(project / ".cospeech/locks", "retrain"):
        assert retrain_main([]) == 0
    assert f"skipped, retrain: already being run by process {os.getpid()} since" in capsys.readouterr().err
    (project / "dvc.yaml").touch()
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("source: data/demo", "source: s3://takes/may"))
    assert retrain_main(["--footage", "s3://takes/june"]) == 1
    assert "footage is pulled into a folder of this machine" in capsys.readouterr().err


def test_by_hand_it_shows_on_the_dashboard_of_this_folder(
    prefect_server: str, project: Path, environment: dict[str, str]
) -> None:
    """Known from the record that `make ui` leaves; it fails for want of a dvc.yaml."""
    record = {"url": prefect_server, "pid": os.getpid(), "created": psutil.Process().create_time()}
    (project / ".cospeech").mkdir()
    (project / ".cospeech/server.json").write_text(json.dumps(record))
    del environment["PREFECT_API_URL"]
    command = [sys.executable, "-m", "flows.retraining.retrain"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "without the dashboard" not in done.stderr
    assert "temporary server" not in done.stderr
    with prefect_client(prefect_server) as client:
        [run] = [each for each in client.read_flow_runs() if each.name == "retrain"]
    assert run.state.is_failed()


class _Hook(BaseHTTPRequestHandler):
    said: list[Any] = []  # noqa: RUF012

    def do_POST(self) -> None:
        self.said.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def webhook() -> Any:
    """(address, what was posted to it)."""
    server = HTTPServer(("127.0.0.1", 0), _Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", _Hook.said
    server.shutdown()


def test_served_by_schedule_skipped_while_one_runs_and_told_to_a_webhook(
    prefect_server: str, project: Path, environment: dict[str, str], repository: Path, webhook: Any
) -> None:
    """The schedule's own process runs two of them: one finds a run at work, the other fails for want of a dvc.yaml."""
    plan = yaml.safe_load((repository / "prefect.yaml").read_text(encoding="utf-8"))
    (project / "prefect.yaml").write_text(yaml.safe_dump(plan))
    shutil.copytree(repository / "flows", project / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    fast = {"PREFECT_API_URL": prefect_server, "PREFECT_RUNNER_POLL_FREQUENCY": "1"}
    command = [sys.executable, "-m", "flows.retraining.notifications", webhook[0]]
    subprocess.run(command, cwd=project, env={**environment, **fast}, check=True, timeout=120)
    log = (project / "schedule.log").open("w")
    serving = subprocess.Popen(
        [sys.executable, "-m", "flows.retraining.schedule"],
        cwd=project,
        env={**environment, **fast},
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        with prefect_client(prefect_server) as client:
            deployment = _deployment(client, project)
            assert deployment.schedules[0].schedule.cron == "0 2 * * *"
            assert set(deployment.parameter_openapi_schema["properties"]) == {"footage"}
            with exclusive(project / ".cospeech/locks", "retrain"):
                run = client.create_flow_run_from_deployment(deployment.id)
                assert _ended(client, run).name == "Skipped", (project / "schedule.log").read_text()
            assert "skipped, retrain: already being run by process" in _ended(client, run).message
            run = client.create_flow_run_from_deployment(deployment.id)
            assert _ended(client, run).is_failed()
        assert wait_for(lambda: bool(webhook[1]), 60), (project / "schedule.log").read_text()
        assert webhook[1][0]["event"] == "prefect.flow-run.Failed"
    finally:
        os.killpg(serving.pid, signal.SIGTERM)
        serving.wait(timeout=60)
        log.close()


def _deployment(client: Any, project: Path) -> Any:
    from prefect.exceptions import ObjectNotFound

    found: list[Any] = []

    def there() -> bool:
        try:
            found.append(client.read_deployment_by_name("retrain/nightly"))
        except ObjectNotFound:
            return False
        return True

    assert wait_for(there, 90), (project / "schedule.log").read_text()
    return found[0]


def _ended(client: Any, run: Any) -> Any:
    assert wait_for(lambda: client.read_flow_run(run.id).state.is_final(), 120)
    return client.read_flow_run(run.id).state
