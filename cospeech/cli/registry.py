"""Commands for promoted models: registry, promote, rollback, fetch.

Each command imports what it needs when it runs, so that `cospeech --help` answers at once.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cospeech.cli.options import Commands, add_root

if TYPE_CHECKING:
    from cospeech.provenance.lineage import Export
    from cospeech.registry.versions import Registry


def add_commands(commands: Commands) -> None:
    """Add the commands of this module to the parser."""
    registry = commands.add_parser("registry", help="show the history of promoted and rejected models, with reasons")
    add_root(registry)
    registry.set_defaults(command=show_registry)

    promote = commands.add_parser("promote", help="put models/export into production without the gate")
    promote.add_argument("--reason", required=True, help="recorded in the registry")
    add_root(promote)
    promote.set_defaults(command=promote_by_hand)

    rollback = commands.add_parser("rollback", help="put the previous version into production")
    rollback.add_argument("--reason", default="by hand", help="recorded in the registry")
    add_root(rollback)
    rollback.set_defaults(command=rollback_model)

    fetch = commands.add_parser("fetch", help="copy the model in production out of the registry")
    fetch.add_argument("folder", type=Path, help="new folder for the copy")
    fetch.add_argument("--version", default=None, help="version such as v0003; default: the one in production")
    add_root(fetch)
    fetch.set_defaults(command=fetch_model)


def _registry(root: Path) -> "Registry":
    from cospeech.config import load_params
    from cospeech.registry.versions import Registry

    section = load_params(root / "params.yaml").registry
    return Registry.at(section.location, section.endpoint_url, root)


def registered_exports_of(root: Path) -> "list[Export]":
    """Return the promoted versions; none if the folder has no params.yaml, and so no registry."""
    from cospeech.registry.service import registered_exports

    return registered_exports(_registry(root)) if (root / "params.yaml").is_file() else []


def show_registry(options: argparse.Namespace) -> int:
    """Print the history of the registry, and the version in production."""
    registry = _registry(options.root)
    state = registry.state()
    for entry in state.history:
        version = entry["version"] or "-"
        print(f"{entry['when']}  {version:<6}  {entry['action']}: {entry['reason']}")
    print(f"in production: {state.production or 'nothing'} ({registry.location})")
    return 0


def promote_by_hand(options: argparse.Namespace) -> int:
    """Put models/export into production."""
    from cospeech.harness.workspace import Workspace
    from cospeech.registry.service import promote_export

    reason = f"by hand: {options.reason}"
    print(f"in production: {promote_export(_registry(options.root), Workspace(options.root), reason, {})}")
    return 0


def rollback_model(options: argparse.Namespace) -> int:
    """Put the previous version into production."""
    from cospeech.harness.workspace import Workspace
    from cospeech.registry.service import roll_back

    old, new = roll_back(_registry(options.root), Workspace(options.root), options.reason)
    print(f"in production: {new}, no longer {old}; the gate will not promote {old} again")
    return 0


def fetch_model(options: argparse.Namespace) -> int:
    """Copy a version out of the registry."""
    registry = _registry(options.root)
    version = options.version or registry.state().production
    if version is None:
        raise ValueError(f"{registry.location}: no model is in production")
    registry.fetch(version, options.folder)
    print(f"{version}: {options.folder}")
    return 0
