"""Kill -9 at a random point of a smoke run; the next `dvc repro` must end as if nothing had been.

    python -m tests.e2e.faults FOLDER --seeds 20    # half a minute a seed and more, after one whole run; CI runs three

A seed picks who is killed, in which stages, and when. It starts from a copy of an undisturbed run in which one or two
stages in a row were never run: outputs, entries in dvc.lock, objects in the caches, clip store, checkpoints are gone.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import yaml

from cospeech.harness.files import file_digest
from cospeech.harness.process_pool import THREAD_LIMITS
from flows.graph import load_graph
from flows.process.groups import alive
from flows.server import api_url
from tests.e2e.clone import Clone, make_small_clone, open_clone
from tests.flows.support import wait_for

VICTIMS = ("dvc", "server", "worker", "stage", "pipeline")
"""worker: a process of a stage's pool. server: Prefect's, which the run tells what it does."""

POOLED = ("ingest", "extract_poses", "extract_audio", "curate", "evaluate")
"""Stages that have a pool without a cluster."""
LATEST = 20.0
"""Seconds after the first stage has started; if all was over by then, the seed tries half of its moment."""
SOONEST = 0.01
"""Seconds; a victim that is not there by then is never there."""

NEVER_THE_SAME = ("reports/metrics.json", "reports/report.html", "reports/samples")
"""Outputs that say how fast this machine was, or are signed with the time."""


@dataclass(frozen=True)
class Plan:
    """Kill `victim` while `stages` run, `moment` seconds after the first of them has started."""

    seed: int
    victim: str
    stages: tuple[str, ...]
    moment: float


@dataclass(frozen=True)
class Outcome:
    """killed: seconds after which it was. status: of the run that was hit. problems: what was wrong afterwards."""

    planned: Plan
    killed: float
    status: int
    problems: list[str]


def plan(seed: int, stages: Sequence[str]) -> Plan:
    chance, victim = random.Random(seed), VICTIMS[seed % len(VICTIMS)]
    first = max(1, stages.index(chance.choice(POOLED if victim == "worker" else stages)))  # 0 is a moment's work
    count = 1 if victim in ("stage", "worker") else 2  # the others may be hit between two stages
    return Plan(seed, victim, tuple(stages[first : first + count]), chance.uniform(0, LATEST))


def disturb(whole: Clone, seed: int, folder: Path) -> Outcome:
    """Do what the seed says in FOLDER/SEED, a copy of the finished run `whole`; removed if nothing was wrong."""
    planned = plan(seed, list(load_graph(whole.root)))
    moment, root = planned.moment, folder / str(seed)
    while True:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(whole.root, root, symlinks=True)
        copy = Clone(root, whole.rows)
        _forget(copy, planned.stages)
        status = _kill(copy, planned, moment)
        if status is not None:
            break
        moment /= 2
        if moment < SOONEST:
            raise ValueError(f"seed {seed}: no {planned.victim} was ever seen in {', '.join(planned.stages)}")
    problems = _ended(root) + _half(whole, copy, planned.stages)
    if planned.victim == "server" and status != 0:
        problems.append(f"the run ended with {status}, though only the server was killed")
    copy.run("dvc", "repro")
    problems += _differences(whole, copy)
    if not problems:
        shutil.rmtree(root)
    return Outcome(planned, round(moment, 1), status, problems)


def _forget(clone: Clone, stages: Sequence[str]) -> None:
    lock = yaml.safe_load((clone.root / "dvc.lock").read_text(encoding="utf-8"))
    for stage in stages:
        for out in lock["stages"].pop(stage)["outs"]:
            path = clone.root / out["path"]
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (clone.root / "dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False), encoding="utf-8")
    clone.run("dvc", "gc", "--workspace", "--force")
    for name in (".dvc/cache/runs", ".cospeech/store", ".cospeech/scratch"):
        shutil.rmtree(clone.root / name, ignore_errors=True)


def _kill(clone: Clone, planned: Plan, moment: float) -> int | None:
    """Run the stages, kill the victim at its moment; the run's exit status, None if all was over before."""
    environment = {}
    if planned.victim == "server":
        clone.run("flows.server", "start", COSPEECH_SERVER_PORT="0", PREFECT_API_URL="")
        environment = {"PREFECT_API_URL": api_url(clone.root)}
    run = clone.start("flows.pipeline", *planned.stages, log=clone.root.parent / f"{planned.seed}.log", **environment)
    begun, killed = None, False
    while run.poll() is None:
        time.sleep(0.05)
        there = _processes(clone.root)
        if begun is None and _named(there, "stage"):
            begun = time.monotonic()
        if not killed and begun is not None and time.monotonic() - begun > moment:
            for prey in _named(there, planned.victim)[:1]:
                prey.kill()
                killed = True
    if not killed:
        for process in _processes(clone.root):
            process.kill()
    return run.returncode if killed else None


def _processes(root: Path) -> list[psutil.Process]:
    """Everything that runs in this folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cwd() == str(root) and alive(process):
                found.append(process)
    return found


def _named(processes: Sequence[psutil.Process], role: str) -> list[psutil.Process]:
    return [process for process in processes if _role(process) == role]


def _role(process: psutil.Process) -> str:
    try:
        words = process.cmdline()
    except psutil.Error:
        return ""
    for role, word in (("pipeline", "flows.pipeline"), ("stage", "flows.stage"), ("server", "prefect")):
        if word in words:
            return role
    if "dvc" in words and "repro" in words:
        return "dvc"
    return "worker" if any("spawn_main" in word for word in words) else ""


def _ended(root: Path) -> list[str]:
    """Whoever still runs 15 s later (and is then ended)."""
    wait_for(lambda: not _processes(root), 15)
    left = _processes(root)
    problems = [f"orphan: {process.pid} {' '.join(process.cmdline())[:100]}" for process in left]
    for process in left:
        process.kill()
    return problems


def _half(whole: Clone, copy: Clone, stages: Sequence[str]) -> list[str]:
    """Files under their final names that are not what the undisturbed run has there."""
    problems = []
    for out in [out for stage in stages for out in whole.hashes(stage) if out not in NEVER_THE_SAME]:
        place = copy.root / out
        for path in [place, *place.rglob("*")]:
            name = path.relative_to(copy.root)
            if path.is_file() and not path.name.startswith(".") and not _same(path, whole.root / name):
                problems.append(f"half: {name}")
    for path in (copy.root / ".dvc/cache/files/md5").glob("??/*"):
        digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        if digest != (path.parent.name + path.name).removesuffix(".dir"):
            problems.append(f"half: {path.relative_to(copy.root)}")
    return problems


def _same(path: Path, other: Path) -> bool:
    return other.is_file() and file_digest(path) == file_digest(other)


def _differences(whole: Clone, copy: Clone) -> list[str]:
    problems = []
    for stage in load_graph(whole.root):
        now = copy.hashes(stage)
        problems += [
            f"other bytes: {out}"
            for out, digest in whole.hashes(stage).items()
            if out not in NEVER_THE_SAME and now[out] != digest
        ]
    litter = [path for name in ("data", "models", "reports") for path in (copy.root / name).rglob(".*")]
    return problems + [f"left: {path.relative_to(copy.root)}" for path in litter if path.name != ".gitignore"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for the undisturbed run (taken as it is if it is there) and copies")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))  # sums depend on it
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "whole"
    whole = open_clone(place) if place.is_dir() else make_small_clone(Path(__file__).parents[2], place)
    whole.run("flows.pipeline")
    bad = 0
    for seed in range(options.first, options.first + options.seeds):
        outcome = disturb(whole, seed, folder)
        bad += bool(outcome.problems)
        print(json.dumps(asdict(outcome)), flush=True)
    print(f"{bad} of {options.seeds} seeds went wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
