"""Call a webhook on each decision or failed retraining: `python -m flows.retraining.notifications URL`.

It creates two Prefect automations, which the dashboard shows, changes, pauses and deletes.
"""

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import UUID

from flows import server
from flows.process.environment import prepare_environment
from flows.runs.artifacts import EVENT_KEPT, EVENT_PROMOTED

if TYPE_CHECKING:
    from prefect.automations import Automation

BLOCK = "cospeech-retraining"
DECIDED, FAILED = "cospeech: a model was promoted or kept out", "cospeech: a retraining failed"
_TOLD = '{"event": "{{ event.event }}", "reason": {{ event.payload.reason | tojson }}}'
_LOST = '{"event": "{{ event.event }}", "reason": "the run {{ event.resource.name }} failed; see the dashboard"}'


def automations(block: UUID) -> list["Automation"]:
    """Return the two automations; of failed runs, only those of the flow `retrain` count."""
    from prefect.automations import Automation
    from prefect.events.actions import CallWebhook
    from prefect.events.schemas.automations import EventTrigger, Posture, ResourceSpecification

    def of(**labels: str) -> ResourceSpecification:
        return ResourceSpecification({f"prefect.resource.{name}": value for name, value in labels.items()})

    decided = EventTrigger(
        posture=Posture.Reactive, threshold=1, expect={EVENT_PROMOTED, EVENT_KEPT}, match=of(id="cospeech.registry")
    )
    failed = EventTrigger(
        posture=Posture.Reactive,
        threshold=1,
        expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
        match=of(id="prefect.flow-run.*"),
        match_related=of(role="flow", name="retrain"),
    )
    plans = ((DECIDED, decided, _TOLD), (FAILED, failed, _LOST))
    return [
        Automation(name=name, trigger=trigger, actions=[CallWebhook(block_document_id=block, payload=payload)])
        for name, trigger, payload in plans
    ]


def install(url: str) -> list[str]:
    """Save the webhook as a block, replace earlier automations, return the names of the new ones."""
    from prefect.automations import Automation
    from prefect.blocks.webhook import Webhook
    from pydantic import SecretStr

    block = cast("UUID", Webhook(method="POST", url=SecretStr(url)).save(BLOCK, overwrite=True))  # not async here
    for each in automations(block):
        with contextlib.suppress(ValueError):  # there is none of that name
            cast("Automation", Automation.read(name=each.name)).delete()
        each.create()
    return [DECIDED, FAILED]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="flows.retraining.notifications", description=__doc__)
    parser.add_argument("url", help="is sent a POST with JSON: event and reason")
    url = parser.parse_args(arguments).url
    root = Path.cwd()
    prepare_environment(root)
    api = server.api_url(root)
    if not server.answers(api):
        print(f"error: no Prefect server answers at {api}; start it with make ui", file=sys.stderr)
        return 1
    os.environ["PREFECT_API_URL"] = api
    for name in install(url):
        print(f"{name}: {server.dashboard(api)}/automations")
    return 0


if __name__ == "__main__":
    sys.exit(main())
