"""A clone of HEAD to run the pipeline in."""

import csv
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

NOBODY = "http://127.0.0.1:9/api"


@dataclass(frozen=True)
class Clone:
    """A fresh clone with smoke parameters and a few clips of the embedded corpus as its footage."""

    root: Path
    rows: list[dict[str, str]]

    def use(self, rows: list[dict[str, str]]) -> None:
        """Write the manifest and bring the files that it names."""
        footage, corpus = self.root / "footage", self.root / "data/demo"
        footage.mkdir(exist_ok=True)
        with (footage / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(self.rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        for name in {row[column] for row in rows for column in ("uri", "alignment") if row.get(column)}:
            (footage / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(corpus / name, footage / name)

    def start(self, *command: str) -> "subprocess.Popen[str]":
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "DVC_"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=self.root,
            env={**inherited, "PATH": path, "PREFECT_API_URL": NOBODY, "DVC_NO_ANALYTICS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str) -> str:
        process = self.start(*command)
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
        """What dvc.lock says of the outputs of a stage."""
        lock = yaml.safe_load((self.root / "dvc.lock").read_text(encoding="utf-8"))
        return {out["path"]: out["md5"] for out in lock["stages"][stage]["outs"]}


def make_clone(repository: Path, root: Path) -> Clone:
    """With smoke parameters; `rows` are those of the embedded corpus."""
    subprocess.run(["git", "clone", "--quiet", str(repository), str(root)], check=True)
    shutil.copy(root / "params/smoke.yaml", root / "params.yaml")
    with (root / "data/demo/manifest.csv").open(newline="", encoding="utf-8") as stream:
        return Clone(root, list(csv.DictReader(stream)))
