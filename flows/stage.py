"""Run one stage: `python -m flows.stage NAME`, the `cmd` of every stage in dvc.yaml."""

import argparse
import errno
import logging
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import stages
from cospeech.config import Params, load_params
from cospeech.harness.cluster_executors import open_executor
from cospeech.harness.context import Context
from cospeech.harness.distributed import SINGLE_PROCESS, ProcessGroup, init_process_group, launched_processes
from cospeech.harness.process_pool import process_pool
from cospeech.harness.progress import no_progress, terminal_progress
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.utils.allocator import keep_freed_memory
from flows.process.command import log_to_terminal
from flows.process.environment import prepare_environment, state_folder
from flows.process.groups import end_with_dvc, exit_on_sigterm
from flows.process.imports import import_large
from flows.process.locks import exclusive
from flows.runs.artifacts import publish_stage
from flows.runs.flow_run import USER_ERRORS, observed_progress, run_observed

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
Stage = Callable[[Params, Context], StageReport]
SHARED = {
    "train_teacher": ("teacher.batch", "teacher.window_batch"),
    "adapt_teacher": ("adapt.batch",),
    "distill_student": ("student.batch",),
}
"""Stages that `accelerate launch -m flows.stage NAME` or torchrun may run in several processes -> their batches."""

logger = logging.getLogger("cospeech.runner")


def execute(name: str, load: Callable[[], Stage], root: Path) -> int:
    """Run one stage in `root`, in a process of its own; return the exit status.

    `load` imports the stage: after the parameters were checked, so that an error shows at once, and under its lock.
    """
    prepare_environment(root)
    exit_on_sigterm()
    end_with_dvc()
    log_to_terminal()
    keep_freed_memory()
    try:
        params = load_params(root / "params.yaml")
        os.environ.setdefault("HF_HUB_OFFLINE", "0" if params.audio.hub or (params.wan and params.wan.hub) else "1")
        if launched_processes() > 1 and name not in SHARED:
            raise ValueError(
                f"{name} runs in one process, {launched_processes()} were launched; start it without a launcher"
            )
        check_batches(name, params)
        learner = params.student if name == "distill_student" else params.teacher
        process_group = init_process_group(params.compute.device, learner.precision)
        if not process_group.is_main:  # rank 0 holds the lock, shows the run and writes
            load()(params, Context(Workspace(root), lambda: process_pool(1), no_progress, process_group))
            return 0
        with exclusive(state_folder(root) / "locks", name, _say):
            context = make_context(params, root, process_group)
            run_observed(name, lambda: _reported(load(), params, context), publish_stage, root)
    except USER_ERRORS as error:
        _say(f"error in {name}: {error}")
        _say(f"(traceback: {_keep_traceback(root, name)})")
        return 1
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        where = f" at {error.filename}" if error.filename else ""
        _say(f"error in {name}: the disk is full{where}; free some space and run this again, what was finished is kept")
        return 1
    except KeyboardInterrupt:
        _say(f"{name}: interrupted")
        return 130
    return 0


def check_batches(name: str, params: Params) -> None:
    """Raise ValueError if a batch does not divide among the processes."""
    unused = {0.0: "teacher.window_batch", 1.0: "teacher.batch"}.get(params.teacher.window_share)
    for key in set(SHARED.get(name, ())) - {unused}:
        section, field = key.split(".")
        batch = getattr(getattr(params, section), field)
        if batch % launched_processes():
            raise ValueError(
                f"{key} is {batch}, which does not divide among {launched_processes()} processes; make it a multiple "
                f"of {launched_processes()}"
            )


def _reported(stage: Stage, params: Params, context: Context) -> StageReport:
    """Run the stage and log its summary."""
    report = stage(params, context)
    logger.info("%s: %s", report.stage, report.summary)
    return report


def make_context(params: Params, root: Path, process_group: ProcessGroup = SINGLE_PROCESS) -> Context:
    """Return the context of a stage: local processes or a cluster for clips, bars on terminal and dashboard."""
    compute, progress = params.compute, observed_progress(terminal_progress)
    return Context(Workspace(root), lambda: open_executor(compute.cluster, compute.workers), progress, process_group)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _keep_traceback(root: Path, name: str) -> Path:
    path = state_folder(root) / "logs" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(traceback.format_exc(), encoding="utf-8")
    return path.relative_to(root)


def main(arguments: list[str] | None = None) -> int:
    root = Path.cwd()
    names = sorted(module.name for module in pkgutil.iter_modules(stages.__path__))
    parser = argparse.ArgumentParser(prog="flows.stage", description=__doc__)
    parser.add_argument("name", choices=names, metavar="NAME", help=", ".join(names))
    name = parser.parse_args(arguments).name
    return execute(name, lambda: import_large(f"stages.{name}").run, root)


if __name__ == "__main__":
    sys.exit(main())
