"""Run the pipeline as one flow run: `python -m flows.pipeline [arguments of dvc repro]`.

DVC decides what is stale and runs it; the flow run shows the stages under one parent and ends them when it is ended.
"""

import logging
import os
import re
import sys
import time
from pathlib import Path

from flows.process.command import run_command
from flows.process.environment import PARENT_RUN, PIPELINE
from flows.process.groups import run_group

BUSY = re.compile(r"is busy, it is being blocked by|Unable to acquire lock")
WAITS = (2.0, 5.0, 10.0, 20.0, 30.0)
"""Seconds between attempts while another dvc holds the project."""

logger = logging.getLogger("cospeech.pipeline")


class PipelineError(ValueError):
    """dvc did not finish; its own output says why."""


def reproduce(arguments: list[str]) -> None:
    """Run `dvc repro`; wait about a minute for another dvc to finish.

    Raises:
        PipelineError: a stage failed, or another dvc holds the project for too long.
    """
    command = [sys.executable, "-m", "dvc", "repro", *arguments]
    for wait in (*WAITS, None):
        blocked: list[str] = []

        def note(line: str, blocked: list[str] = blocked) -> None:
            if BUSY.search(line):
                blocked.append(line)

        status = run_group(command, _environment(), note)
        if status == 0:
            return
        if not blocked:
            raise PipelineError(f"dvc repro ended with status {status}; the lines above say which stage and why")
        if wait is not None:
            logger.warning("another dvc works in this folder, trying again in %.0f s", wait)
            time.sleep(wait)
    raise PipelineError(f"another dvc holds this folder: {blocked[-1].strip()}; let it finish, then run this again")


def _environment() -> dict[str, str]:
    """Return the environment of dvc: `python` is this interpreter, and stages find the run that they belong to."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "PATH": path, PIPELINE: str(os.getpid()), **_parent()}


def _parent() -> dict[str, str]:
    if "prefect" not in sys.modules:
        return {}
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    return {PARENT_RUN: str(context.flow_run.id)} if context is not None and context.flow_run is not None else {}


def main(arguments: list[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    return run_command("pipeline", lambda: reproduce(given), lambda _: None, Path.cwd())


if __name__ == "__main__":
    sys.exit(main())
