"""Under which flow run a stage shows: the pipeline's that started it, or else that of its `dvc repro` by hand."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from cospeech.harness.files import read_json
from flows.process.environment import PARENT_RUN, state_folder
from flows.process.groups import dvc_of_this_stage, identity
from flows.process.imports import import_large
from flows.process.locks import exclusive

START_SECONDS = 60.0
"""For the process of a run by hand to be there; without it a stage shows alone."""


def parent_run(root: Path) -> str | None:
    """Id of the flow run; None if this process belongs to none. The first stage of a dvc by hand starts its run."""
    if PARENT_RUN in os.environ:
        return os.environ[PARENT_RUN]
    dvc = dvc_of_this_stage()
    if dvc is None:
        return None
    with exclusive(state_folder(root) / "locks", "by hand", lambda line: None):
        return _written(root, dvc) or _start(root, dvc)


def record(root: Path, dvc: psutil.Process) -> Path:
    """Where the process of a run by hand writes which run that is."""
    return state_folder(root) / "by_hand" / f"{dvc.pid}.json"


def _written(root: Path, dvc: psutil.Process) -> str | None:
    try:
        written = read_json(record(root, dvc))
    except FileNotFoundError:
        return None
    return str(written["run"]) if written["dvc"] == identity(dvc) else None


def _start(root: Path, dvc: psutil.Process) -> str | None:
    """A process that is not of dvc's session, so that Ctrl-C there does not end it before it has seen the end."""
    with (state_folder(root) / "by_hand.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.runs.repro_observer", str(dvc.pid)],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    import_large("prefect.flow_engine")  # a second, which this process needs as well

    deadline = time.monotonic() + START_SECONDS
    while (run := _written(root, dvc)) is None and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return run
