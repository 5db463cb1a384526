"""Run a function as a command line does: environment, signals, logs, errors as messages, exit status."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from flows.process.environment import prepare_environment
from flows.process.groups import exit_on_sigterm
from flows.runs.flow_run import USER_ERRORS, run_observed

T = TypeVar("T")


def run_command(name: str, function: Callable[[], T], publish: Callable[[T], None], root: Path) -> int:
    """Call `function`, as a flow run of this name if a Prefect server answers; return the exit status."""
    prepare_environment(root)
    exit_on_sigterm()
    log_to_terminal()
    try:
        run_observed(name, function, publish, root)
    except USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted, every stage ended", file=sys.stderr)
        return 130
    return 0


def log_to_terminal() -> None:
    """Print the messages of the loggers under `cospeech`, without prefix."""
    ours = logging.getLogger("cospeech")
    ours.setLevel(logging.INFO)
    ours.addHandler(logging.StreamHandler())
