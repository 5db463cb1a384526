"""Run a plain function as a Prefect flow run, under its parent, with logs, progress and an artifact.

Prefect only watches: when the server goes away, the work goes on without it.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar, cast
from uuid import UUID

from cospeech.harness.process_pool import PoolBrokenError
from cospeech.harness.progress import Progress, ProgressFactory
from flows.process.environment import PARENT_RUN
from flows.process.imports import import_large
from flows.runs.cancellation import ended_from_the_dashboard
from flows.runs.orphaned import close_left, remembered
from flows.server import answers, api_url

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.schemas.objects import FlowRun, State

T = TypeVar("T")
USER_ERRORS = (ValueError, PoolBrokenError)
"""Errors that the user can fix: shown as their message, without a traceback."""

CANCELLED_STATUS = 143
"""Exit status of a process whose run was cancelled on the dashboard: SIGTERM's."""

BY_HAND = "by hand"
BY_HAND_EXPLAINED = "Runs that were started on a machine. They are shown and can be cancelled here, not started."
"""Name and description of the deployment of such runs."""

HEARTBEATS = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"

PROGRESS_SECONDS = 5.0
"""Until a bar gets a progress artifact, and between its updates."""

logger = logging.getLogger("cospeech.flow")


def run_observed(name: str, function: Callable[[], T], publish: Callable[[T], None], root: Path) -> T:
    """Call `function` once, as a flow run of this name if the Prefect server of this folder answers.

    `publish` is called with the result inside the flow run. An exception of `function` is raised as it is.
    """
    url = api_url(root)
    if not answers(url):
        logger.info("%s: no Prefect server answers at %s, running without the dashboard", name, url)
        return function()
    os.environ["PREFECT_API_URL"] = url
    return _Run(name, function, publish, root)()


class _Run(Generic[T]):
    """One flow run and its result."""

    def __init__(self, name: str, function: Callable[[], T], publish: Callable[[T], None], root: Path) -> None:
        self.name, self.function, self.publish, self.root = name, function, publish, root
        self.started = self.cancelled = False
        self.results: list[T] = []
        self.errors: list[BaseException] = []

    def __call__(self) -> T:
        import_large("prefect.flow_engine")
        from prefect import Flow
        from prefect.flow_engine import run_flow

        _terminal_shows_our_logs_only()
        flow = Flow(self._body, name=self.name, validate_parameters=False, persist_result=False)
        try:
            flow_run = _create_flow_run(flow, os.environ.get(PARENT_RUN))
            with remembered(self.root, flow_run.id), without_heartbeats():
                run_flow(flow, flow_run=flow_run, return_type="state")
        except Exception as error:
            if not self.started:
                logger.warning("%s: runs without the dashboard: %s", self.name, error)
                return self.function()
            if not self.results and not self.errors:
                raise
            logger.warning("%s: the dashboard was not told how it ended: %s", self.name, error)
        if self.cancelled:
            raise SystemExit(CANCELLED_STATUS)
        if self.errors:
            raise self.errors[0]
        return self.results[0]

    def _body(self) -> "State | None":
        from prefect.states import Cancelled, Crashed, Failed

        self.started = True
        _tell("runs of killed processes stay Running on the dashboard", lambda: close_left(self.root))
        with ended_from_the_dashboard(self.name) as cancelled:
            try:
                self.results.append(self.function())
            except USER_ERRORS as error:
                self.errors.append(error)
                return Failed(message=str(error))
            except BaseException as error:
                self.errors.append(error)
                self.cancelled = cancelled.is_set()
                if self.cancelled:
                    return Cancelled(message="cancelled on the dashboard; all its processes have ended")
                if isinstance(error, SystemExit) and isinstance(error.code, str):
                    return Crashed(message=error.code)
                raise
        _tell(f"{self.name}: no artifact on the dashboard", lambda: self.publish(self.results[0]))
        return None


def _create_flow_run(flow: "Flow", parent: str | None) -> "FlowRun":
    """Create a flow run under the run `parent`, if this server has it.

    Otherwise under a deployment that nobody serves, as the dashboard can cancel no other runs.
    """
    from prefect import Task
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound
    from prefect.states import Pending

    with get_client(sync_client=True) as client:
        if parent:
            try:
                client.read_flow_run(UUID(parent))
                task = Task(flow.fn, name=flow.name)
                key = f"{flow.name}-{os.getpid()}-{time.time_ns()}"
                parent_task = client.create_task_run(
                    task, UUID(parent), dynamic_key=key, name=flow.name, state=Pending()
                )
                return client.create_flow_run(flow, name=flow.name, parent_task_run_id=parent_task.id, state=Pending())
            except ObjectNotFound:
                logger.warning("%s: the parent run %s is not on this server", flow.name, parent)
        deployment = client.create_deployment(client.create_flow(flow), BY_HAND, description=BY_HAND_EXPLAINED)
        return client.create_flow_run_from_deployment(deployment, state=Pending(), name=flow.name)


@contextmanager
def without_heartbeats() -> Iterator[None]:
    """Turn off Prefect's heartbeats, unless the user has set them.

    Their thread delays the end of a run by up to a second, and `close_left` finds dead runs without them. Prefect's
    `temporary_settings` would read all settings again, slowly."""
    from prefect.context import SettingsContext, get_settings_context

    if HEARTBEATS in os.environ:
        yield
        return
    context = get_settings_context()
    flows = context.settings.flows.model_copy(update={"heartbeat_frequency": None})
    with SettingsContext(profile=context.profile, settings=context.settings.model_copy(update={"flows": flows})):
        yield


def _terminal_shows_our_logs_only() -> None:
    """Keep Prefect's log of the run off the terminal, except for warnings."""
    for name in ("prefect.flow_runs", "prefect.task_runs", "cospeech"):
        logging.getLogger(name).propagate = False
    logging.getLogger("EventsWorker").setLevel(logging.ERROR)  # warns that it is at work whenever a run ends


def _tell(failure: str, call: Callable[[], object]) -> None:
    """Call the dashboard; a failure is a warning, and a server that is gone is not waited for."""
    if _server_is_there():
        _try_to_tell(failure, call)
    else:
        logger.warning("%s: the Prefect server is gone", failure)


def _try_to_tell(failure: str, call: Callable[[], object]) -> None:
    try:
        call()
    except Exception as error:  # noqa: BLE001
        logger.warning("%s: %s", failure, error)


def _server_is_there() -> bool:
    """Return whether the server answers, without the retries of Prefect's client."""
    return answers(os.environ["PREFECT_API_URL"])


def observed_progress(inner: ProgressFactory) -> ProgressFactory:
    """Wrap `inner` so that a bar that lasts has a progress artifact in its flow run."""

    @contextmanager
    def progress(label: str, total: int) -> Iterator[Progress]:
        with inner(label, total) as bar:
            watched = _Watched(bar, label, total)
            yield watched
            watched.close()

    return progress


class _Watched:
    def __init__(self, bar: Progress, label: str, total: int) -> None:
        self.bar, self.label, self.total = bar, label, total
        self.done = 0
        self.figures: dict[str, float] = {}
        self.artifact: UUID | None = None
        self.told = time.monotonic()

    def update(self, n: int = 1, **figures: float) -> None:
        self.bar.update(n, **figures)
        self.done += n
        self.figures = figures or self.figures
        if time.monotonic() - self.told > PROGRESS_SECONDS:
            self._tell()

    def close(self) -> None:
        if self.artifact is not None:
            self._tell()

    def _tell(self) -> None:
        from prefect.context import FlowRunContext

        self.told = time.monotonic()
        if FlowRunContext.get() is not None and _server_is_there():  # else without a word: it may come back
            _try_to_tell(f"{self.label}: no progress on the dashboard", self._publish)

    def _publish(self) -> None:
        from prefect.artifacts import create_progress_artifact, update_progress_artifact

        percent = 100.0 * min(self.done / max(self.total, 1), 1.0)
        shown = ", ".join(
            [f"{self.label}: {self.done} of {self.total}"] + [f"{k} {v:.4g}" for k, v in self.figures.items()]
        )
        if self.artifact is None:
            self.artifact = cast("UUID", create_progress_artifact(percent, description=shown))  # not async here
        else:
            update_progress_artifact(self.artifact, percent, description=shown)
