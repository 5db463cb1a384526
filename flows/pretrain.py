"""Train codec, deformer and teacher on many random people and put them into models/pretrained: `make pretrain`.

The pipeline runs up to the teacher in a clone of this checkout with params/pretrain.yaml. After an interruption the
same command continues from DVC's cache and the checkpoints of training.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from cospeech.harness.files import atomic_path, write_json
from cospeech.harness.process_pool import available_cores
from cospeech.harness.workspace import Workspace
from flows.process.environment import PRIVATE, state_folder
from flows.process.groups import exit_on_sigterm, run_group

PEOPLE, SEED = 300, 0
LEARNT = {"codec": "train_codec", "deformer": "train_deformer", "teacher": "train_teacher"}
"""Model -> the stage that trains it."""


def pretrain(root: Path, people: int, seed: int) -> Path:
    """Draw the people, train on them, return models/pretrained.

    Raises:
        ValueError: a step failed; its own output says why.
    """
    clone = state_folder(root) / "pretrain"
    _clone(root, clone)
    crowd = ["--crowd", str(people), "--seed", str(seed), "--out", "footage"]
    _run(["cospeech.corpus", *crowd], clone, {"ANNY_CACHE_DIR": str(state_folder(root) / "anny")})
    _run(["dvc", "repro", LEARNT["teacher"]], clone)
    return collect(Workspace(clone), root / "models/pretrained", {"people": people, "seed": seed})


def _clone(root: Path, clone: Path) -> None:
    """Clone the committed state of `root`, with the parameters for pretraining; keep the results of earlier calls."""
    if not clone.is_dir():
        subprocess.run(["git", "clone", "--quiet", str(root), str(clone)], check=True)
    subprocess.run(["git", "-C", str(clone), "fetch", "--quiet"], check=True)
    subprocess.run(["git", "-C", str(clone), "reset", "--quiet", "--hard", "@{upstream}"], check=True)
    shutil.copy(root / "params/pretrain.yaml", clone / "params.yaml")


def _run(module: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    surroundings = {**os.environ, **PRIVATE, "PATH": path, **(environment or {})}
    status = run_group([sys.executable, "-m", *module], surroundings, lambda line: None, folder=folder)
    if status != 0:
        raise ValueError(f"{' '.join(module)} ended with status {status} in {folder}; the lines above say why")


def collect(workspace: Workspace, target: Path, crowd: dict[str, int]) -> Path:
    """Copy the models to `target`, with a record of parameters, machine, loss curves and figures."""
    for model, stage in LEARNT.items():
        for source, place in (
            (workspace.model(model), target / model),
            (workspace.stage_report(stage), target / "log" / stage),
        ):
            with atomic_path(place) as folder:
                shutil.copytree(source, folder)
    record = {
        "crowd": crowd,
        "commit": _git(workspace.root, "rev-parse", "HEAD"),
        "machine": {"system": platform.platform(), "processor": platform.processor(), "cores": available_cores()},
        "params": yaml.safe_load((workspace.root / "params.yaml").read_text(encoding="utf-8")),
    }
    write_json(target / "record.json", record)
    return target


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="flows.pretrain", description=__doc__)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    exit_on_sigterm()
    try:
        target = pretrain(Path.cwd(), options.people, options.seed)
    except (ValueError, OSError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"pretrained codec, deformer and teacher are in {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
