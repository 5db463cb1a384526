"""Registry operations of the commands and of the retraining flow."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from cospeech.footage.consent import load_revocations
from cospeech.harness.workspace import Workspace
from cospeech.provenance.lineage import Export, exports_to_retire, parse_export
from cospeech.registry.gate import Decision
from cospeech.registry.versions import Registry, State, weights_digest
from cospeech.utils.json_types import JSONValue


def timestamp() -> str:
    """Return the present local time, ISO 8601 with seconds."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def registered_exports(registry: Registry) -> list[Export]:
    """Return every version that was ever promoted."""
    versions = registry.state().versions("promoted")
    return [parse_export(registry.provenance(version), f"{registry.location}, {version}") for version in versions]


def unusable_versions(registry: Registry, workspace: Workspace) -> list[str]:
    """Return the versions that were trained on clips whose consent is revoked."""
    revocations = load_revocations(workspace.revoked)
    return [
        version
        for version in registry.state().versions("promoted")
        if exports_to_retire([parse_export(registry.provenance(version), version)], revocations)
    ]


def roll_back(registry: Registry, workspace: Workspace, reason: str) -> tuple[str, str]:
    """Put the previous usable version into production; return (old, new) version.

    Raises:
        ValueError: as `Registry.rollback`.
    """
    unusable = unusable_versions(registry, workspace)
    before = registry.state().production
    taken = registry.rollback({"when": timestamp(), "reason": reason}, unusable)
    assert before is not None
    return before, taken


def promote_export(registry: Registry, workspace: Workspace, reason: str, figures: Mapping[str, JSONValue]) -> str:
    """Put models/export into production; return its version.

    Raises:
        ValueError: there is no export.
    """
    bundle = workspace.model("export")
    if not (bundle / "provenance.json").is_file():
        raise ValueError(f"{bundle}: no export; run dvc repro")
    more = {"evaluation/metrics.json": workspace.metrics, "evaluation/clips.csv": workspace.plots / "clips.csv"}
    entry = {"when": timestamp(), "reason": reason, "figures": dict(figures)}
    return registry.promote(bundle, entry, {name: path for name, path in more.items() if path.is_file()})


def known_decision(registry: Registry, state: State, bundle: Path) -> Decision | None:
    """Return the decision to keep production if the candidate is known: in production, or rolled back. Else None."""
    digest = weights_digest(bundle)
    if state.production is not None and registry.index(state.production)["digest"] == digest:
        return Decision(False, f"kept: the candidate equals {state.production}, which is in production")
    for version in state.versions("rolled back from"):
        if registry.index(version)["digest"] == digest:
            return Decision(False, f"kept: the candidate equals {version}, which was rolled back")
    return None


def figures_of(decision: Decision) -> dict[str, dict[str, float | int | None]]:
    """Return the comparisons as entries of the history: measure -> numbers."""
    names = ("clips", "candidate", "production", "gain", "low", "high")
    return {each.rule.measure: {name: getattr(each, name) for name in names} for each in decision.comparisons}
