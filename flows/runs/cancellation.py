"""End a run that is cancelled on the dashboard with all its processes, however it was started.

Prefect itself ends only what its own workers and `make schedule` started.
"""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

ASK_SECONDS = 2.0
"""Between two questions to the server whether the run was cancelled."""

logger = logging.getLogger("cospeech.flow")


@contextmanager
def ended_from_the_dashboard(name: str) -> Iterator[threading.Event]:
    """Watch the current flow run; when it is cancelled, set the event and send this process SIGTERM."""
    from prefect.context import FlowRunContext

    cancelled, done = threading.Event(), threading.Event()
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        yield cancelled
        return
    watch = (context.flow_run.id, name, cancelled, done)
    threading.Thread(target=_watch, args=watch, daemon=True, name="watch the dashboard").start()
    try:
        yield cancelled
    finally:
        done.set()


def _watch(run: UUID, name: str, cancelled: threading.Event, done: threading.Event) -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        while not done.wait(ASK_SECONDS):
            if _was_cancelled(client, run) and not done.is_set():
                logger.warning("%s: cancelled on the dashboard, ending", name)
                cancelled.set()
                os.kill(os.getpid(), signal.SIGTERM)
                return


def _was_cancelled(client: "SyncPrefectClient", run: UUID) -> bool:
    try:
        state = client.read_flow_run(run).state
    except Exception:  # noqa: BLE001 - the server is away, so nobody can cancel
        return False
    return state is not None and (state.is_cancelling() or state.is_cancelled())
