"""Serve the deployments of prefect.yaml from this machine until stopped: `python -m flows.retraining.schedule`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import yaml

from cospeech.utils.json_types import JSONObject
from flows import server
from flows.process.environment import prepare_environment
from flows.process.groups import exit_on_sigterm

if TYPE_CHECKING:
    from prefect.deployments.runner import RunnerDeployment

ENTRYPOINT = "flows/retraining/deployment.py:retrain"


def deployments(root: Path) -> list[JSONObject]:
    """Read the deployments of prefect.yaml.

    Raises:
        ValueError: no file, or a deployment of another flow than flows/retraining/deployment.py.
    """
    path = root / "prefect.yaml"
    if not path.is_file():
        raise ValueError(f"{path}: no such file; run this in the project folder")
    found: list[JSONObject] = yaml.safe_load(path.read_text(encoding="utf-8"))["deployments"]
    for entry in found:
        if entry["entrypoint"] != ENTRYPOINT:
            raise ValueError(f"{path}: {entry['name']}: entrypoint {entry['entrypoint']} is not {ENTRYPOINT}")
    return found


def served(root: Path) -> list["RunnerDeployment"]:
    """Return the deployments as Prefect's objects."""
    from prefect.client.schemas.schedules import CronSchedule

    from flows.retraining.deployment import retrain

    found: list[RunnerDeployment] = []
    for entry in deployments(root):
        plans = [
            {"schedule": CronSchedule(cron=each["cron"], timezone=each["timezone"]), "active": each["active"]}
            for each in entry["schedules"]
        ]
        made = retrain.to_deployment(
            name=entry["name"], description=entry["description"], parameters=entry["parameters"], schedules=plans
        )
        found.append(cast("RunnerDeployment", made))  # not async here
    return found


def serve(root: Path) -> None:
    """Register the deployments with the server and run them when they are due; return when stopped."""
    from prefect import serve as serve_all

    serve_all(*served(root), pause_on_shutdown=True)


def main() -> int:
    root = Path.cwd()
    prepare_environment(root)
    exit_on_sigterm()
    try:
        url = server.start(root)
        os.environ["PREFECT_API_URL"] = url
        for entry in deployments(root):
            plans = ", ".join(f"{each['cron']} {each['timezone']}" for each in entry["schedules"] if each["active"])
            print(
                f"retrain/{entry['name']}: {plans or 'not scheduled'}; {server.dashboard(url)}/deployments", flush=True
            )
        serve(root)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
