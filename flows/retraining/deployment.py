"""Define the flow that prefect.yaml deploys: `make schedule` serves it, or a work pool's worker runs it.

flows/retraining/retrain.py is apart, as its command sets Prefect's environment before anything imports prefect.
"""

from pathlib import Path

from prefect import State, flow
from prefect.states import Cancelled, Completed

from flows.process.command import log_to_terminal
from flows.process.environment import prepare_environment
from flows.process.locks import BusyError
from flows.retraining.retrain import alone, retrain_once
from flows.runs.artifacts import publish_decision
from flows.runs.cancellation import ended_from_the_dashboard


@flow(name="retrain", persist_result=False, validate_parameters=True)
def retrain(footage: str | None = None) -> State:
    """Pull new footage, run what is stale, compare with the model in production, promote or keep.

    A run that finds another one running ends at once as Skipped.

    Args:
        footage: a folder, s3://bucket/prefix or a manifest (.csv) whose videos are added to ingest.source; None: no
            videos.
    """
    root = Path.cwd()
    prepare_environment(root)
    log_to_terminal()
    try:
        with alone(root), ended_from_the_dashboard("retrain") as cancelled:
            try:
                decision, version = retrain_once(root, footage)
            except BaseException:
                if cancelled.is_set():
                    return Cancelled(message="cancelled on the dashboard; all its processes have ended")
                raise
    except BusyError as error:
        return Completed(name="Skipped", message=f"skipped, {error}")
    publish_decision(decision, version)
    return Completed(message=decision.reason)
