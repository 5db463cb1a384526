"""A clone of HEAD to run the pipeline in."""

import csv
import json
import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import yaml

from flows.graph import load_files
from tests.helpers.footage import run_ffmpeg

NOBODY = "http://127.0.0.1:9/api"
TRAIN, TEST, SECONDS = 3, 1, 3
"""Clips of a small clone, and how much of each is used."""


@dataclass(frozen=True)
class Clone:
    """A fresh clone with smoke parameters and a few clips of the embedded corpus as its footage."""

    root: Path
    rows: list[dict[str, str]]

    def use(self, rows: list[dict[str, str]], folder: Path | None = None) -> None:
        """Write a manifest and bring the beginnings of what it names; into `folder`, or else as the clone's footage.

        What the clone has comes to the folder as it is.
        """
        own, corpus = self.root / "footage", self.root / "data/demo"
        footage = folder or own
        footage.mkdir(exist_ok=True)
        with (footage / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(self.rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        for name in {row[column] for row in rows for column in ("uri", "alignment") if row.get(column)}:
            (footage / name).parent.mkdir(parents=True, exist_ok=True)
            if (own / name).exists() and footage != own:
                shutil.copy(own / name, footage / name)
            else:
                _shorten(corpus / name, footage / name)

    def start(self, *command: str, log: Path | None = None, **variables: str) -> "subprocess.Popen[str]":
        """`python -m COMMAND` in the clone; its output comes through a pipe, or goes to the file `log`."""
        variables = {"PREFECT_API_URL": NOBODY, "DVC_NO_ANALYTICS": "1", **variables}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "DVC_"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        with log.open("w") if log else nullcontext(subprocess.PIPE) as output:
            return subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=self.root,
                env={**inherited, "PATH": path, **{name: value for name, value in variables.items() if value}},
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def run(self, *command: str, **variables: str) -> str:
        process = self.start(*command, **variables)
        output = process.communicate()[0]
        assert process.returncode == 0, output[-8000:]
        return output

    def set(self, before: str, after: str) -> None:
        """Change one line of params.yaml."""
        path = self.root / "params.yaml"
        text = path.read_text(encoding="utf-8")
        assert before in text
        path.write_text(text.replace(before, after), encoding="utf-8")

    def hashes(self, stage: str) -> dict[str, str]:
        """Return what DVC's lock files say of the outputs of a stage."""
        file = next(file for file, stages in load_files(self.root).items() if stage in stages)
        lock = yaml.safe_load((self.root / file.replace(".yaml", ".lock")).read_text(encoding="utf-8"))
        return {out["path"]: out["md5"] for out in lock["stages"][stage]["outs"]}


def _shorten(source: Path, target: Path) -> None:
    """The first SECONDS of a video, or of its alignment."""
    if source.suffix == ".mp4":
        run_ffmpeg("-i", str(source), "-t", str(SECONDS), str(target))
        return
    kinds = json.loads(source.read_text(encoding="utf-8"))
    kept = {
        kind: [span | {"end": min(span["end"], SECONDS)} for span in spans if span["start"] < SECONDS]
        for kind, spans in kinds.items()
    }
    target.write_text(json.dumps(kept), encoding="utf-8")


def make_clone(repository: Path, root: Path) -> Clone:
    """With smoke parameters; `rows` are those of the embedded corpus."""
    subprocess.run(["git", "clone", "--quiet", str(repository), str(root)], check=True)
    shutil.copy(root / "params/smoke.yaml", root / "params.yaml")
    return open_clone(root)


def open_clone(root: Path) -> Clone:
    with (root / "data/demo/manifest.csv").open(newline="", encoding="utf-8") as stream:
        return Clone(root, list(csv.DictReader(stream)))


def make_small_clone(repository: Path, root: Path) -> Clone:
    """Its footage: TRAIN + TEST clips in a folder of its own."""
    clone = make_clone(repository, root)
    clone.set("source: data/demo", "source: footage")
    clone.use(pick(clone.rows))
    return clone


def pick(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """A test clip of a speaker with training clips, these clips, and training clips of others."""
    trained = {row["speaker"] for row in rows if row["split"] != "test"}
    test = next(row for row in rows if row["split"] == "test" and row["speaker"] in trained)
    train = sorted((row for row in rows if row["split"] != "test"), key=lambda row: row["speaker"] != test["speaker"])
    return [*train[:TRAIN], test]
