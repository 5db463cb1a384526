"""Scheduled retraining: `python -m flows.retrain [--footage ADDRESS]` once, `make schedule` by the clock.

prefect.yaml deploys `retrain`. A run that finds another one at work ends at once as Skipped.
"""

import argparse
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.states import Cancelled, Completed

from flows.artifacts import publish_decision
from flows.cancelling import ended_from_the_dashboard
from flows.command import log_to_terminal, run_command
from flows.environment import prepare_environment, state_folder
from flows.locks import BusyError, exclusive
from stages.lib.registry.gate import Decision

LOCK = "retrain"


@flow(name="retrain", persist_result=False, validate_parameters=True)
def retrain(footage: str | None = None) -> Any:
    """Pull new footage, run what is stale, compare with the model in production, promote or keep.

    Args:
        footage: a folder, s3://bucket/prefix or a manifest (.csv) whose videos are added to ingest.source; none: the
            source is used as it is.
    """
    root = Path.cwd()
    prepare_environment(root)
    log_to_terminal()
    try:
        with _alone(root), ended_from_the_dashboard("retrain") as cancelled:
            try:
                decision, version = _retrain_once(root, footage)
            except BaseException:
                if cancelled.is_set():
                    return Cancelled(message="cancelled on the dashboard; all its processes have ended")
                raise
    except BusyError as error:
        return Completed(name="Skipped", message=f"skipped, {error}")
    publish_decision(decision, version)
    return Completed(message=decision.reason)


def _alone(root: Path) -> AbstractContextManager[None]:
    return exclusive(state_folder(root) / "locks", LOCK, wait=False)


def _retrain_once(root: Path, footage: str | None) -> tuple[Decision, str | None]:
    from flows.promotion import retrain_once  # torch and all: not for a run that is skipped

    return retrain_once(root, footage)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="flows.retrain", description=__doc__)
    parser.add_argument("--footage", default=None, help="folder, s3:// address or manifest of new videos")
    footage = parser.parse_args(arguments).footage
    root = Path.cwd()
    try:
        with _alone(root):
            return run_command(
                "retrain", lambda: _retrain_once(root, footage), lambda result: publish_decision(*result), root
            )
    except BusyError as error:
        print(f"skipped, {error}", file=sys.stderr)
        return 0


if __name__ == "__main__":
    sys.exit(main())
