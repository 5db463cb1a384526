"""Retrain once, now: `python -m flows.retraining.retrain [--footage ADDRESS]`.

On a schedule flows/retraining/deployment.py does, served by `make schedule`.
"""

import argparse
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from cospeech.registry.gate import Decision
from flows.process.command import run_command
from flows.process.environment import state_folder
from flows.process.locks import BusyError, exclusive
from flows.runs.artifacts import publish_decision


def alone(root: Path) -> AbstractContextManager[None]:
    """Lock this folder for one retraining at a time; raises BusyError if another runs."""
    return exclusive(state_folder(root) / "locks", "retrain", wait=False)


def retrain_once(root: Path, footage: str | None) -> tuple[Decision, str | None]:
    """Do as `flows.retraining.promote.retrain_once`; raises ValueError where there is no project."""
    if not (root / "dvc.yaml").is_file():
        raise ValueError(f"{root} has no dvc.yaml; run this in a project folder")
    from flows.retraining import promote  # torch and all: not for a run that is skipped

    return promote.retrain_once(root, footage)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="flows.retraining.retrain", description=__doc__)
    parser.add_argument("--footage", default=None, help="folder, s3:// address or manifest of new videos")
    footage, root = parser.parse_args(arguments).footage, Path.cwd()
    try:
        with alone(root):
            return run_command(
                "retrain", lambda: retrain_once(root, footage), lambda result: publish_decision(*result), root
            )
    except BusyError as error:
        print(f"skipped, {error}", file=sys.stderr)
        return 0


if __name__ == "__main__":
    sys.exit(main())
