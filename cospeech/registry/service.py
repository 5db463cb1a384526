"""What commands and the retraining flow do with a registry."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cospeech.footage.consent import load_revocations
from cospeech.harness.workspace import Workspace
from cospeech.provenance.lineage import Export, export_of, to_retire
from cospeech.registry.gate import Decision
from cospeech.registry.versions import Registry, State, weights_digest


def stamp() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def registered_exports(registry: Registry) -> list[Export]:
    """Every version that was ever promoted."""
    versions = registry.state().happened("promoted")
    return [export_of(registry.provenance(version), f"{registry.location}, {version}") for version in versions]


def unusable_versions(registry: Registry, workspace: Workspace) -> list[str]:
    """Those that learned from clips whose consent was taken back since."""
    revocations = load_revocations(workspace.revoked)
    return [
        version
        for version in registry.state().happened("promoted")
        if to_retire([export_of(registry.provenance(version), version)], revocations)
    ]


def roll_back(registry: Registry, workspace: Workspace, reason: str) -> tuple[str, str]:
    """(version that leaves production, version that takes its place)."""
    unusable = unusable_versions(registry, workspace)
    before = registry.state().production
    taken = registry.rollback({"when": stamp(), "reason": reason}, unusable)
    assert before is not None
    return before, taken


def promote_export(registry: Registry, workspace: Workspace, reason: str, figures: Mapping[str, Any]) -> str:
    """Put models/export into production; the name of its version.

    Raises:
        ValueError: there is no export.
    """
    bundle = workspace.model("export")
    if not (bundle / "provenance.json").is_file():
        raise ValueError(f"{bundle}: no export there; run dvc repro")
    more = {"evaluation/metrics.json": workspace.metrics, "evaluation/clips.csv": workspace.plots / "clips.csv"}
    entry = {"when": stamp(), "reason": reason, "figures": dict(figures)}
    return registry.promote(bundle, entry, {name: path for name, path in more.items() if path.is_file()})


def known_before(registry: Registry, state: State, bundle: Path) -> Decision | None:
    """Keep, where the candidate is the model in production or one that was rolled back from; else None."""
    digest = weights_digest(bundle)
    if state.production is not None and registry.index(state.production)["digest"] == digest:
        return Decision(False, f"kept: nothing new, this is {state.production}")
    for version in state.happened("rolled back from"):
        if registry.index(version)["digest"] == digest:
            return Decision(False, f"kept: this is {version} again, which was rolled back from")
    return None


def figures_of(decision: Decision) -> dict[str, dict[str, float | int | None]]:
    """The comparisons for the history: measure -> numbers."""
    names = ("clips", "candidate", "production", "gain", "low", "high")
    return {each.rule.measure: {name: getattr(each, name) for name in names} for each in decision.comparisons}
