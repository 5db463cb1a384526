"""With a real Prefect server: flow runs, their parent, artifacts, progress, logs. All tests that need one are here."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from prefect.client.schemas.filters import ArtifactFilter, LogFilter
from prefect.states import Cancelling, Running

from flows.process.groups import alive
from tests.flows.support import Relay, Start, children_of, prefect_client, wait_for
from tests.helpers.browser import browser_path, open_browser


@pytest.fixture
def client(prefect_server: str) -> Any:
    with prefect_client(prefect_server) as client:
        yield client


def _parent(client: Any) -> Any:
    from prefect import Flow

    return client.create_flow_run(Flow(lambda: None, name="pipeline"), name="pipeline", state=Running())


def _artifacts(client: Any, run: Any) -> list[Any]:
    return client.read_artifacts(artifact_filter=ArtifactFilter(flow_run_id={"any_": [run.id]}))


def test_a_stage_is_a_flow_run_under_its_parent_with_artifacts(
    client: Any, prefect_server: str, start_stage: Start
) -> None:
    parent = _parent(client)
    process = start_stage("long", PREFECT_API_URL=prefect_server, COSPEECH_PARENT_RUN=str(parent.id))
    output = process.communicate(timeout=180)[0]
    assert process.returncode == 0, output
    [run] = children_of(client, parent)
    assert run.name == "fake"
    assert run.state.is_completed()
    task = client.read_task_run(run.parent_task_run_id)
    assert task.flow_run_id == parent.id
    assert task.state.is_completed()
    artifacts = {artifact.type: artifact for artifact in _artifacts(client, run)}
    page = artifacts["markdown"].data
    assert "| psnr | 26.5 |" in page
    assert "| seconds | 1.25 |" in page
    assert "![noise](data:image/png;base64," in page
    assert len(page) < 700_000
    assert artifacts["progress"].data == 100.0
    assert _logged(client, run, "fake: 2 clips kept")


def test_a_user_error_is_the_message_of_the_failed_run(client: Any, prefect_server: str, start_stage: Start) -> None:
    parent = _parent(client)
    process = start_stage("user error", PREFECT_API_URL=prefect_server, COSPEECH_PARENT_RUN=str(parent.id))
    output = process.communicate(timeout=180)[0]
    assert process.returncode == 1
    assert "Traceback" not in output
    assert output.count("at least 25 are needed") == 1
    [run] = children_of(client, parent)
    assert run.state.is_failed()
    assert run.state.message == "clip bergsee-01: 12 frames, at least 25 are needed; give a longer clip"
    assert client.read_task_run(run.parent_task_run_id).state.is_failed()
    assert _logged(client, run, "fake stage does: user error")


def _logged(client: Any, run: Any, text: str) -> bool:
    """Logs travel in batches and arrive a little late."""
    for _ in range(50):
        logs = client.read_logs(log_filter=LogFilter(flow_run_id={"any_": [run.id]}))
        if any(text in log.message for log in logs):
            return True
        time.sleep(0.2)
    return False


def test_an_unknown_parent_does_not_stop_the_stage(prefect_server: str, start_stage: Start) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    process = start_stage("ok", PREFECT_API_URL=prefect_server, COSPEECH_PARENT_RUN=nobody)
    output = process.communicate(timeout=180)[0]
    assert process.returncode == 0, output
    assert f"the parent run {nobody} is not on this server" in output


def test_a_server_that_dies_neither_stops_the_stage_nor_holds_it_up(
    prefect_server: str, start_stage: Start, project: Path
) -> None:
    relay = Relay(urlsplit(prefect_server).port or 0)
    process = start_stage("hold", "long", PREFECT_API_URL=f"http://127.0.0.1:{relay.port}/api")
    assert wait_for((project / "holding").exists, 120)
    relay.shut()
    (project / "release").touch()
    begun = time.monotonic()
    output = process.communicate(timeout=180)[0]
    assert process.returncode == 0, output
    assert "no artifact on the dashboard: the Prefect server is gone" in output
    assert "the dashboard was not told how it ended" in output
    assert time.monotonic() - begun < 60  # a quarter of it on an idle machine; Prefect alone would try for minutes
    assert len(list((project / ".cospeech/runs").iterdir())) == 1  # for the next run to close


def test_cancelled_from_the_dashboard_the_whole_process_tree_ends_within_ten_seconds(
    client: Any, prefect_server: str, start_pipeline: Any, project: Path
) -> None:
    """dvc, the stage and its two workers."""
    process = start_pipeline("pool", PREFECT_API_URL=prefect_server)
    files = [project / "one.pid", project / "two.pid"]
    assert wait_for(lambda: all(path.exists() and path.read_text() for path in files), 240)
    run = max(
        (each for each in client.read_flow_runs() if each.name == "pipeline" and each.state.is_running()),
        key=lambda each: each.created,
    )
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    assert len(family) >= 5
    _press_cancel(client, prefect_server, run)
    cancelling = client.read_flow_run(run.id).state.timestamp
    assert wait_for(lambda: not any(alive(each) for each in family), 30)
    assert (datetime.now(UTC) - cancelling).total_seconds() < 10
    process.communicate()
    assert client.read_flow_run(run.id).state.is_cancelled()


def _press_cancel(client: Any, server: str, run: Any) -> None:
    """The button of the dashboard, or without a browser the request that it sends; until the server has it."""
    if browser_path() is None:
        client.set_flow_run_state(run.id, Cancelling())
        return
    with open_browser() as browser:
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{server.removesuffix('/api')}/runs/flow-run/{run.id}")
        page.get_by_role("button", name="Cancel").click()
        with page.expect_response(lambda answer: answer.url.endswith(f"/flow_runs/{run.id}/set_state")) as answered:
            page.get_by_role("button", name="Confirm").click()
        assert answered.value.ok


def test_a_stage_of_a_bare_repro_is_a_run_of_its_own_and_ends_it_when_cancelled(
    client: Any, prefect_server: str, start_pipeline: Any, project: Path
) -> None:
    process = start_pipeline("hold", "dvc", "repro", PREFECT_API_URL=prefect_server)
    assert wait_for((project / "holding").exists, 240)
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    [run] = [each for each in client.read_flow_runs() if each.name == "second" and each.state.is_running()]
    assert run.parent_task_run_id is None
    client.set_flow_run_state(run.id, Cancelling())
    assert process.wait(60) != 0
    assert wait_for(lambda: not any(alive(each) for each in family), 15)
    assert client.read_flow_run(run.id).state.is_cancelled()


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
