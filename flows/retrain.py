"""Scheduled retraining: `python -m flows.retrain [--footage ADDRESS]` once, `make schedule` by the clock.

prefect.yaml deploys `retrain`. A run that finds another one at work ends at once as Skipped.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.states import Completed

from flows.artifacts import publish_decision
from flows.environment import prepare_environment, state_folder
from flows.locks import BusyError, exclusive
from flows.observed import USER_ERRORS, run_observed
from flows.processes import exit_on_sigterm
from flows.server import api_url
from flows.stage import log_to_terminal
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
        with exclusive(state_folder(root) / "locks", LOCK, wait=False):
            from flows.promotion import retrain_once  # torch and all: not for a run that is skipped

            decision, version = retrain_once(root, footage)
    except BusyError as error:
        return Completed(name="Skipped", message=f"skipped, {error}")
    publish_decision(decision, version)
    return Completed(message=decision.reason)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="flows.retrain", description=__doc__)
    parser.add_argument("--footage", default=None, help="folder, s3:// address or manifest of new videos")
    footage = parser.parse_args(arguments).footage
    root = Path.cwd()
    prepare_environment(root)
    exit_on_sigterm()
    log_to_terminal()

    def once() -> tuple[Decision, str | None]:
        with exclusive(state_folder(root) / "locks", LOCK, wait=False):
            from flows.promotion import retrain_once

            return retrain_once(root, footage)

    try:
        run_observed("retrain", once, lambda result: publish_decision(*result), api_url(root))
    except BusyError as error:
        print(f"skipped, {error}", file=sys.stderr)
        return 0
    except USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("retrain: interrupted, every stage ended", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
