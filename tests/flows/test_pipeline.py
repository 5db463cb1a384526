"""The pipeline without a server: how it fails, and that nothing is left alive when it is ended."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.process.groups import alive, run_group
from tests.flows.support import wait_for


def test_a_failed_stage_fails_the_pipeline_with_one_line(start_pipeline: Any) -> None:
    process = start_pipeline("'user error'")
    output = process.communicate(timeout=180)[0]
    assert process.returncode == 1
    assert "error in second: clip bergsee-01" in output
    assert "error: dvc repro ended with status" in output
    assert "Traceback" not in output


def test_ending_the_pipeline_ends_dvc_stage_and_workers(project: Path, start_pipeline: Any) -> None:
    process = start_pipeline("pool")
    files = [project / "one.pid", project / "two.pid"]
    assert wait_for(lambda: all(path.exists() and path.read_text() for path in files), 60)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 4
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) != 0
    assert not any(alive(each) for each in family)


def test_a_group_ends_with_the_exception_that_ends_its_run(tmp_path: Path) -> None:
    """The grandchild ignores the polite signal, as a busy library may."""
    script = (
        "import signal, subprocess, sys, os, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
        "print(os.getpid(), child.pid, flush=True); time.sleep(60)"
    )
    seen: list[int] = []

    def stop(line: str) -> None:
        seen.extend(int(part) for part in line.split())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_group([sys.executable, "-c", script], os.environ, stop, grace=1.0)
    assert len(seen) == 2
    assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in seen)
