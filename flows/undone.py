"""What a `dvc repro` that has ended should still have run; its exit status is known to nobody but who started it."""

import json
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from flows.graph import load_graph, outputs

INDIFFERENT = {"targets", "force", "quiet", "verbose", "pull", "no_run_cache"}
"""Options that do not change which stages belong to the run."""

logger = logging.getLogger("stages.flow")


def undone(root: Path, command: Sequence[str]) -> list[str]:
    """Stages of that command line which do not stand on what those before them have made, in the order of dvc.yaml.

    A parameter or a file of code that is edited meanwhile does not count: that is for the next run. Nothing is said of
    a command that picks stages in another way than by target (`--downstream`, `--single-item`).
    """
    targets = targets_of(command)
    if targets is None:
        return []
    answer = subprocess.run(
        [sys.executable, "-m", "dvc", "status", "--json", "--with-deps", *targets],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if answer.returncode != 0:
        logger.warning("whether the run is complete is not known, dvc status ended so: %s", answer.stderr[-500:])
        return []
    changed, made = json.loads(answer.stdout), outputs(root)
    order = [*load_graph(root), *sorted(changed)]
    return sorted((stage for stage, found in changed.items() if _stale(root, found, made)), key=order.index)


def targets_of(command: Sequence[str]) -> list[str] | None:
    """Of `dvc repro`; None if this is another command, or has options that are not INDIFFERENT."""
    from dvc.cli import parse_args

    if "repro" not in command:
        return None
    plain = vars(parse_args(["repro"]))
    given = vars(parse_args(list(command[command.index("repro") :])))
    if any(given[name] != value for name, value in plain.items() if name not in INDIFFERENT):
        return None
    return [*given["targets"]] or ["dvc.yaml"]


def _stale(root: Path, found: Sequence[object], made: Sequence[Path]) -> bool:
    """Whether a dependency that changed since is, or lies in, the output of a stage."""
    changed = [path for each in found if isinstance(each, dict) for path in each.get("changed deps", {})]
    return any((root / path).is_relative_to(output) for path in changed for output in made)
