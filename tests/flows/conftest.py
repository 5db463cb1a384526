"""A project folder of its own for each test, and one real Prefect server for all of them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.server import answers
from tests.flows.support import Start

FAKE_STAGE = Path(__file__).with_name("fake_stage.py")
OWN_VARIABLES = ("PREFECT_API_URL", "PREFECT_HOME", "DVC_SITE_CACHE_DIR", "COSPEECH_PARENT_RUN", "DVC_STAGE")
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
NOBODY = "http://127.0.0.1:9/api"

DVC_YAML = """
stages:
  first: {cmd: "python fake_stage.py ok", outs: [reports/stages/fake]}
  second: {cmd: "python fake_stage.py {behaviour}", deps: [reports/stages/fake]}
"""


@pytest.fixture
def project(tmp_path: Path, repository: Path) -> Path:
    shutil.copy(repository / "params.yaml", tmp_path / "params.yaml")
    return tmp_path


@pytest.fixture
def environment(repository: Path) -> dict[str, str]:
    """For child processes: this checkout, and a server address where nobody answers."""
    inherited = {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}
    return {**inherited, "PYTHONPATH": str(repository), "PREFECT_API_URL": NOBODY}


@pytest.fixture
def start_stage(project: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Start the fake stage in `project`; what still runs at the end of the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*behaviour: str, **variables: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, str(FAKE_STAGE), *behaviour],
            cwd=project,
            env={**environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        process.wait()


@pytest.fixture
def start_pipeline(project: Path, environment: dict[str, str]) -> Any:
    """Start the pipeline, or another module, on two fake stages, the second with the given behaviour."""

    def start(behaviour: str, *module: str, **variables: str) -> "subprocess.Popen[str]":
        shutil.copy(FAKE_STAGE, project / "fake_stage.py")
        (project / "dvc.yaml").write_text(DVC_YAML.replace("{behaviour}", behaviour))
        (project / ".dvc").mkdir()
        (project / ".dvc/config").write_text("[core]\n    no_scm = True\n")
        return subprocess.Popen(
            [sys.executable, "-m", *(module or ("flows.pipeline",))],
            cwd=project,
            env={**environment, "PATH": PATH, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[str]:
    """The API address of a real server with an empty database, started as `make ui` does."""
    root = tmp_path_factory.mktemp("server")
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    inherited = {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}
    environment = {**inherited, "PYTHONPATH": str(repository), "COSPEECH_SERVER_PORT": str(port)}
    command = [sys.executable, "-m", "flows.server"]
    subprocess.run([*command, "start"], cwd=root, env=environment, check=True, timeout=240)
    url = f"http://127.0.0.1:{port}/api"
    assert answers(url)
    yield url
    subprocess.run([*command, "stop"], cwd=root, env=environment, check=True, timeout=120)
    assert not answers(url)
