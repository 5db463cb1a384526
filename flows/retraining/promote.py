"""Train on the present footage, compare with the model in production, promote or keep, and record it."""

import logging
import shutil
from pathlib import Path

from cospeech.config import Params, load_params
from cospeech.footage.pull import pull
from cospeech.footage.storage import Storage
from cospeech.harness.context import Context
from cospeech.provenance.lineage import retirement_lines
from cospeech.registry.gate import Decision, Gate, Rule, decide
from cospeech.registry.service import figures_of, known_decision, promote_export, registered_exports, timestamp
from cospeech.registry.versions import Registry
from flows.pipeline import reproduce
from flows.retraining.evaluate_production import candidate_rows, production_rows
from flows.stage import make_context

logger = logging.getLogger("cospeech.retrain")


def retrain_once(root: Path, footage: str | None) -> tuple[Decision, str | None]:
    """Retrain once; return the decision and the version in production after it.

    Raises:
        ValueError: a stage failed, or the registry or the footage cannot be reached; the model in production stays.
    """
    params = load_params(root / "params.yaml")
    if footage is not None:
        logger.info("footage: %s", pull_footage(params, root, footage))
    reproduce([])
    return judge(params, make_context(params, root))


def pull_footage(params: Params, root: Path, inbox: str) -> str:
    """Copy new videos of `inbox` into ingest.source; return a sentence on them."""
    if params.ingest.source.startswith("s3://"):
        raise ValueError(
            f"ingest.source is {params.ingest.source}: footage is pulled into a folder of this machine; or add it to "
            "that bucket's manifest, and retrain without footage"
        )
    return pull(inbox, root / params.ingest.source, Storage(params.ingest.endpoint_url)).sentence


def judge(params: Params, context: Context) -> tuple[Decision, str | None]:
    """Decide on models/export by the gate, and promote it or keep the present version."""
    workspace = context.workspace
    registry = Registry.at(params.registry.location, params.registry.endpoint_url, workspace.root)
    state = registry.state()
    decision = known_decision(registry, state, workspace.model("export")) or _compare(params, context, registry)
    if decision.promote:
        version = promote_export(registry, workspace, decision.reason, figures_of(decision))
        logger.info("%s: %s", version, decision.reason)
    else:
        registry.keep({"when": timestamp(), "reason": decision.reason, "figures": figures_of(decision)})
        logger.info("%s stays: %s", state.production or "no model in production", decision.reason)
    for line in retirement_lines(workspace, registered_exports(registry)):
        logger.warning("%s", line)
    return decision, registry.state().production


def _compare(params: Params, context: Context, registry: Registry) -> Decision:
    version = registry.state().production
    candidate = candidate_rows(context.workspace)
    if version is None:
        return decide(candidate, None, gate_of(params))
    bundle = context.workspace.scratch / "promoted"
    shutil.rmtree(bundle, ignore_errors=True)
    registry.fetch(version, bundle)
    try:
        production = production_rows(bundle, params, context)
    except ValueError as error:
        return Decision(False, f"kept: {version} could not be measured: {error}")
    return decide(candidate, production, gate_of(params))


def gate_of(params: Params) -> Gate:
    rules = tuple(Rule(name, rule.better, rule.margin) for name, rule in params.gate.measures.items())
    return Gate(rules, params.gate.confidence, params.gate.resamples, params.gate.clips)
