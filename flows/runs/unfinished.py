"""What a `dvc repro` that has ended should still have run; its exit status is known to nobody but who started it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cospeech.utils.json_types import JSONValue
from flows.graph import load_graph, load_lock, made_by

INDIFFERENT = {"targets", "force", "quiet", "verbose", "pull", "no_run_cache"}
"""Options that do not change which stages belong to the run."""


def undone(root: Path, command: Sequence[str]) -> list[str]:
    """Stages of that command line which do not stand on what those before them have made, in the order of dvc.yaml.

    By the lock files alone, without dvc, which would hold up the user's next command. A parameter or a file of code
    that is edited meanwhile does not count: that is for the next run. Nothing is said of a command that picks stages in
    another way than by their names (`--downstream`, another dvc.yaml).
    """
    graph, targets = load_graph(root), targets_of(command)
    if targets is None or not graph.keys() >= set(targets):
        return []
    lock = load_lock(root)
    made = {out["path"]: out.get("md5") for entry in lock.values() for out in entry.get("outs", [])}
    wanted = _with_those_before(graph, made_by(root), targets or list(graph))
    return [stage for stage in graph if stage in wanted and not _stands(lock.get(stage), made)]


def targets_of(command: Sequence[str]) -> list[str] | None:
    """Of `dvc repro`; [] for all. None if this is another command, or has options that are not INDIFFERENT."""
    from dvc.cli import parse_args

    if "repro" not in command:
        return None
    plain = vars(parse_args(["repro"]))
    given = vars(parse_args(list(command[command.index("repro") :])))
    if any(given[name] != value for name, value in plain.items() if name not in INDIFFERENT):
        return None
    return [target for target in given["targets"] if target != "dvc.yaml"]


def _with_those_before(graph: Mapping[str, JSONValue], makers: Mapping[str, str], targets: Sequence[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(targets)
    while waiting:
        stage = waiting.pop()
        if stage not in found:
            found.add(stage)
            waiting += [makers[dep] for dep in graph[stage].get("deps", []) if dep in makers]
    return found


def _stands(entry: Mapping[str, JSONValue] | None, made: Mapping[str, str | None]) -> bool:
    """Whether a stage has run, and on what there is now of what others make."""
    deps = [] if entry is None else entry.get("deps", [])
    return entry is not None and all(made.get(dep["path"], dep.get("md5")) == dep.get("md5") for dep in deps)
