"""Show a `dvc repro` that was started by hand as one flow run.

`python -m flows.runs.repro_observer PID`, started by its first stage.

dvc knows nothing of us, so a process beside it is the run. It ends when dvc ends, and learns from the stages' runs how.
"""

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import psutil

from cospeech.harness.files import write_json
from flows.process.command import run_command
from flows.process.groups import GRACE_SECONDS, alive, identity
from flows.runs.orphaned import close_left
from flows.runs.parent import record
from flows.runs.unfinished import undone

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

LOOK_SECONDS = 0.25


def watch(root: Path, dvc: psutil.Process) -> None:
    """Be the run of this dvc until it has ended; ends it when this is ended.

    Raises:
        ValueError: a stage failed, or dvc ended before it had written down what a stage made, or before the last one.
        SystemExit: a stage was ended from outside, or dvc while a stage ran.
    """
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    if context is None or context.flow_run is None:  # the server went away meanwhile
        return
    path, command = record(root, dvc), _command(root, dvc)
    write_json(path, {"run": str(context.flow_run.id), "dvc": identity(dvc)})
    try:
        while alive(dvc):
            time.sleep(LOOK_SECONDS)
    except BaseException:
        with contextlib.suppress(psutil.NoSuchProcess):
            dvc.terminate()  # its stage sees it and ends too
        raise
    finally:
        path.unlink(missing_ok=True)
    written = [lock.stat().st_mtime for lock in [*root.glob("dvc.lock"), *root.glob("*/dvc.lock")]]
    judge(_stages_under(root, context.flow_run.id), max(written, default=0.0))
    if left := undone(root, command):
        raise ValueError(f"dvc ended before {', '.join(left)} had run")


def _command(root: Path, dvc: psutil.Process) -> list[str]:
    """Its command line; [] if it is gone or works elsewhere, where its targets mean something else."""
    try:
        return dvc.cmdline() if Path(dvc.cwd()) == root else []
    except psutil.Error:
        return []


def _stages_under(root: Path, run: UUID) -> list["FlowRun"]:
    """The flow runs of the stages, in order; a stage that lost its dvc gets the time that it takes to end."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId

    under = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run]))
    deadline = time.monotonic() + 2 * GRACE_SECONDS
    with get_client(sync_client=True) as client:
        while True:
            close_left(root)
            stages = client.read_flow_runs(flow_run_filter=under)
            if all(stage.state and stage.state.is_final() for stage in stages) or time.monotonic() > deadline:
                return sorted(stages, key=attrgetter("created"))
            time.sleep(LOOK_SECONDS)


def judge(stages: Sequence["FlowRun"], written: float) -> None:
    """Raise as `watch` does. stages: their flow runs, in order. written: when dvc last wrote its lock file, epoch."""
    if not stages:
        raise ValueError("dvc ended before a stage had begun")
    states = [(stage.name, stage.state) for stage in stages]
    if failed := [f"{name} failed: {state.message}" for name, state in states if state and state.is_failed()]:
        raise ValueError("; ".join(failed))
    if ended := [name for name, state in states if not (state and state.is_completed())]:
        raise SystemExit(f"{', '.join(ended)} was ended while at work, or dvc was")
    last = stages[-1]
    if last.end_time is not None and last.end_time.timestamp() > written:
        raise ValueError(f"dvc ended before it had written down what {last.name} made")


def main() -> int:
    parser = argparse.ArgumentParser(prog="flows.runs.repro_observer", description=__doc__)
    parser.add_argument("dvc", type=int, help="its process")
    try:
        dvc = psutil.Process(parser.parse_args().dvc)
    except psutil.NoSuchProcess:
        return 0
    root = Path.cwd()
    os.environ.pop("DVC_STAGE", None)  # this is no stage
    return run_command("pipeline", lambda: watch(root, dvc), lambda _: None, root)


if __name__ == "__main__":
    sys.exit(main())
