"""The stage runner without a server: plain calls, errors for people, the lock, no orphans."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.process.groups import alive
from tests.flows.support import Start, wait_for


def test_without_server_the_plain_function_runs_and_says_so(start_stage: Start) -> None:
    process = start_stage("ok")
    output = process.communicate(timeout=180)[0]
    assert process.returncode == 0, output
    assert output.count("no Prefect server answers at http://127.0.0.1:9/api") == 1
    assert "fake: 2 clips kept" in output
    assert "fake stage does: ok" in output


def test_a_user_error_is_one_message_and_no_traceback(start_stage: Start, project: Path) -> None:
    process = start_stage("user error")
    output = process.communicate(timeout=180)[0]
    assert process.returncode == 1
    assert "error in fake: clip bergsee-01: 12 frames, at least 25 are needed; give a longer clip" in output
    assert "Traceback" not in output
    assert "raise ValueError" in (project / ".cospeech/logs/fake.txt").read_text()


def test_an_unexpected_error_keeps_its_traceback(start_stage: Start) -> None:
    process = start_stage("bug")
    output = process.communicate(timeout=180)[0]
    assert process.returncode == 1
    assert "Traceback" in output
    assert "RuntimeError: this should not happen" in output


def test_a_wrong_parameter_is_named(start_stage: Start, project: Path) -> None:
    params = project / "params.yaml"
    params.write_text(params.read_text() + "\nsampling_rate: 16000\n")
    process = start_stage("ok")
    output = process.communicate(timeout=180)[0]
    assert process.returncode == 1
    assert "sampling_rate: unknown key" in output
    assert "Traceback" not in output


def test_stages_are_known_in_a_folder_without_code(repository: Path, tmp_path: Path) -> None:
    """As the rows of the ablation are run."""
    surroundings = {**os.environ, "PYTHONPATH": str(repository), "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    command = [sys.executable, "-m", "flows.stage", "evaluate"]
    done = subprocess.run(command, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False)
    assert "params.yaml: no such file" in done.stderr
    assert "invalid choice" not in done.stderr


def test_a_second_runner_waits_and_says_for_whom(start_stage: Start, project: Path) -> None:
    first = start_stage("hold")
    assert wait_for((project / "holding").exists)
    second = start_stage("ok")
    assert second.stdout is not None
    line = second.stdout.readline()
    assert f"fake: already being run by process {first.pid} since" in line
    assert second.poll() is None
    (project / "release").touch()
    assert first.wait(timeout=30) == 0
    assert second.wait(timeout=30) == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_stage_leaves_no_worker(start_stage: Start, project: Path, number: int) -> None:
    process = start_stage("pool")
    files = [project / "one.pid", project / "two.pid"]
    assert wait_for(lambda: all(path.exists() and path.read_text() for path in files), 60)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    os.kill(process.pid, number)
    assert wait_for(lambda: not any(alive(child) for child in children), 10)
    assert process.wait(timeout=10) != 0


def test_a_stage_ends_when_its_dvc_is_killed(project: Path, environment: dict[str, str]) -> None:
    """A stand-in for dvc starts the stage as dvc does, through a shell, and is killed."""
    import subprocess

    stage = Path(__file__).with_name("fake_stage.py")
    starter = f"import subprocess; subprocess.run(['sh', '-c', '{sys.executable} {stage} hold; true'])"
    dvc = subprocess.Popen([sys.executable, "-c", starter], cwd=project, env={**environment, "DVC_STAGE": "fake"})
    assert wait_for((project / "holding").exists, 60)
    family = psutil.Process(dvc.pid).children(recursive=True)
    stage_process = next(each for each in family if "fake_stage.py" in each.cmdline()[1])
    dvc.kill()
    dvc.wait()
    assert wait_for(lambda: not alive(stage_process), 15)


def test_dvc_and_its_stage_end_when_their_pipeline_is_killed(project: Path, start_pipeline: Any) -> None:
    process = start_pipeline("hold")
    assert wait_for((project / "holding").exists, 60)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 2
    process.kill()
    process.wait()
    assert wait_for(lambda: not any(alive(each) for each in family), 15)
