"""`dvc repro` by hand with a real Prefect server: one run with the stages under it, closed however dvc ends."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName

from flows.process.groups import alive
from flows.runs.repro_observer import judge
from tests.flows.support import Start, children_of, prefect_client, wait_for

REPRO = ("dvc", "repro")


@pytest.fixture
def client(prefect_server: str) -> Any:
    with prefect_client(prefect_server) as client:
        yield client


@pytest.fixture
def new_runs(client: Any) -> Any:
    """Runs named `pipeline` since the test began."""
    named = FlowRunFilter(name=FlowRunFilterName(any_=["pipeline"]))
    before = {run.id for run in client.read_flow_runs(flow_run_filter=named)}
    return lambda: [run for run in client.read_flow_runs(flow_run_filter=named) if run.id not in before]


def watchers(project: Path) -> list[psutil.Process]:
    return [
        each
        for each in psutil.process_iter()
        if "flows.runs.repro_observer" in _words(each) and each.cwd() == str(project)
    ]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline() if alive(process) else []
    except psutil.Error:
        return []


def _closed(client: Any, new_runs: Any, project: Path) -> Any:
    """The one run, after its process has ended; and its stages by name."""
    assert wait_for(lambda: not watchers(project), 60), (project / ".cospeech/by_hand.log").read_text()
    [run] = new_runs()
    assert run.state.is_final(), run.state
    assert list((project / ".cospeech").glob("*/*.json")) == []  # nothing is left of the runs
    return run, {child.name: child for child in children_of(client, run)}


def test_its_stages_show_under_one_run(
    client: Any, prefect_server: str, start_pipeline: Any, project: Path, new_runs: Any
) -> None:
    process = start_pipeline("ok", *REPRO, PREFECT_API_URL=prefect_server)
    output = process.communicate(timeout=240)[0]
    assert process.returncode == 0, output
    run, stages = _closed(client, new_runs, project)
    assert run.state.is_completed(), run.state
    assert set(stages) == {"first", "second"}
    assert all(stage.state.is_completed() for stage in stages.values())


def test_a_stage_that_fails_fails_it(
    client: Any, prefect_server: str, start_pipeline: Any, project: Path, new_runs: Any
) -> None:
    assert start_pipeline("'user error'", *REPRO, PREFECT_API_URL=prefect_server).wait(240) != 0
    run, _ = _closed(client, new_runs, project)
    assert run.state.is_failed()
    assert run.state.message.startswith("second failed: clip bergsee-01")


@pytest.mark.parametrize("victim", ["dvc", "stage"])
def test_killed_it_is_crashed_and_nobody_is_left(
    client: Any, prefect_server: str, start_pipeline: Any, project: Path, new_runs: Any, victim: str
) -> None:
    process = start_pipeline("hold", *REPRO, PREFECT_API_URL=prefect_server)
    assert wait_for((project / "holding").exists, 240)
    family = psutil.Process(process.pid).children(recursive=True)
    [stage] = [each for each in family if "fake_stage.py" in _words(each)]
    os.kill(process.pid if victim == "dvc" else stage.pid, signal.SIGKILL)
    process.wait()
    run, stages = _closed(client, new_runs, project)
    assert run.state.is_crashed(), run.state
    assert "second was ended while at work" in run.state.message
    assert stages["first"].state.is_completed()
    assert stages["second"].state.is_crashed()
    assert not any(alive(each) for each in family)


def test_killed_between_two_stages_it_has_failed(
    client: Any, prefect_server: str, start_pipeline: Any, project: Path, new_runs: Any
) -> None:
    """What is killed there is no stage of ours, so that only dvc knows of it."""
    process = start_pipeline("ok", *REPRO, PREFECT_API_URL=prefect_server, between="touch holding; exec sleep 60")
    assert wait_for((project / "holding").exists, 240)
    between = psutil.Process(process.pid).children()
    for each in [process, *between]:
        each.kill()
    process.wait()
    run, stages = _closed(client, new_runs, project)
    assert run.state.is_failed(), run.state
    assert run.state.message == "dvc ended before between, second had run"
    assert set(stages) == {"first"}


def test_cancelled_on_the_dashboard_it_ends_dvc_and_stage(
    client: Any, prefect_server: str, start_pipeline: Any, project: Path, new_runs: Any
) -> None:
    from prefect.states import Cancelling

    process = start_pipeline("hold", *REPRO, PREFECT_API_URL=prefect_server)
    assert wait_for((project / "holding").exists, 240)
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    [run] = new_runs()
    client.set_flow_run_state(run.id, Cancelling())
    process.wait(60)
    assert wait_for(lambda: not any(alive(each) for each in family), 15)
    run, _ = _closed(client, new_runs, project)
    assert run.state.is_cancelled()


def test_a_killed_run_is_closed_by_the_next_one(
    client: Any, prefect_server: str, start_stage: Start, project: Path
) -> None:
    killed = start_stage("hold", PREFECT_API_URL=prefect_server)
    assert wait_for((project / "holding").exists, 120)
    [path] = (project / ".cospeech/runs").glob("*.json")
    killed.kill()
    killed.wait()
    assert client.read_flow_run(path.stem).state.is_running()
    assert start_stage("ok", PREFECT_API_URL=prefect_server).wait(120) == 0
    state = client.read_flow_run(path.stem).state
    assert (state.type.value, state.message) == ("CRASHED", "its process was killed")
    assert list((project / ".cospeech/runs").iterdir()) == []


def test_without_a_server_no_process_is_started(start_pipeline: Any, project: Path) -> None:
    assert start_pipeline("ok", *REPRO).wait(240) == 0
    assert not (project / ".cospeech/by_hand.log").exists()


def test_a_run_whose_last_stage_dvc_did_not_write_down_is_not_completed() -> None:
    from datetime import UTC, datetime

    from prefect.states import Completed

    stage = SimpleNamespace(name="curate", state=Completed(), end_time=datetime.fromtimestamp(100, UTC))
    judge([stage], 101.0)
    with pytest.raises(ValueError, match="before it had written down what curate made"):
        judge([stage], 99.0)
    with pytest.raises(ValueError, match="before a stage had begun"):
        judge([], 99.0)
