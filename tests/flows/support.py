"""Small helpers of the tests of the runner."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.settings import PREFECT_API_URL, temporary_settings

Start = Callable[..., "subprocess.Popen[str]"]
"""(behaviour, **environment variables) -> the running fake stage."""


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether `condition` came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


@contextmanager
def prefect_client(url: str) -> Iterator[Any]:
    with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
        yield client


def children_of(client: Any, parent: Any) -> list[Any]:
    """Flow runs that show on the timeline of `parent`."""
    parents = FlowRunFilterParentFlowRunId(any_=[parent.id])
    children: list[Any] = client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id=parents))
    return children
