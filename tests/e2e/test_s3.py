"""Footage on S3 through `dvc repro`: the chain up to curate, and what changes there is noticed. One story, in order."""

import csv
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from cospeech.artifacts import Curated
from cospeech.harness.clip_cache import record_path
from cospeech.harness.workspace import Workspace
from tests.e2e.clone import Clone, make_clone
from tests.helpers.footage import run_ffmpeg
from tests.helpers.s3 import CREDENTIALS, serve_s3

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

CHAIN = {"list_sources", "ingest", "extract_poses", "extract_audio", "curate"}
SPLITS = {"adam-1": "train", "mei-1": "train", "henrik-1": "test"}


@dataclass(frozen=True)
class Bucket:
    """A clone whose footage lies in the folder `takes` of an S3 server."""

    clone: Clone
    takes: Path

    def bring(self, name: str, clip: str, start: float = 1) -> None:
        """Two seconds of a clip of the embedded corpus."""
        source = self.clone.root / f"data/demo/clips/{clip}.mp4"
        run_ffmpeg("-ss", str(start), "-i", str(source), "-t", "2", str(self.takes / f"{name}.mp4"))

    def manifest(self, splits: dict[str, str]) -> None:
        with (self.takes / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["uri", "speaker", "licence", "consent", "split"])
            writer.writerows([f"{name}.mp4", name, "CC0-1.0", "given", split] for name, split in splits.items())

    def repro(self) -> set[str]:
        """The stages that ran."""
        return set(
            re.findall(
                r"Running stage '(?:pipelines/sources/dvc.yaml:)?(\w+)'", self.clone.run("dvc", "repro", "curate")
            )
        )

    def made(self, stage: str) -> set[str]:
        """Clips that the last run of a stage did not take from the store."""
        record = pd.read_parquet(record_path(Workspace(self.clone.root).store, stage))
        clips = record["clip"][~record["reused"].astype(bool)]
        return {clip.rsplit("-", 1)[0] for clip in clips}  # without the hash of the source


@pytest.fixture(scope="module")
def bucket(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    folder = tmp_path_factory.mktemp("s3")
    clone = make_clone(repository, folder / "cospeech")
    before = dict(os.environ)
    os.environ.update(CREDENTIALS)
    try:
        with serve_s3(folder / "served") as server:
            takes = server.bucket("bucket") / "takes"
            takes.mkdir()
            clone.set("source: data/demo", "source: s3://bucket/takes")
            clone.set("endpoint_url: null", f"endpoint_url: {server.endpoint}")
            yield Bucket(clone, takes)
    finally:
        os.environ.clear()
        os.environ.update(before)


def test_footage_on_s3_goes_through_the_chain(bucket: Bucket) -> None:
    for clip in SPLITS:
        bucket.bring(clip, clip)
    bucket.manifest(SPLITS)
    assert bucket.repro() == CHAIN
    curated = Curated.load(Workspace(bucket.clone.root).curated)
    assert len(curated.table) == len(SPLITS)
    assert curated.clips("train")
    assert curated.clips("test")


def test_nothing_new_there_runs_nothing(bucket: Bucket) -> None:
    shutil.copy(bucket.takes / "manifest.csv", bucket.takes / "not named by the manifest.csv")
    assert bucket.repro() == {"list_sources"}


def test_an_empty_manifest_there_loses_nothing(bucket: Bucket) -> None:
    workspace = Workspace(bucket.clone.root)
    before = {path: path.read_bytes() for path in [workspace.ledger, workspace.curated, *workspace.clips.iterdir()]}
    (bucket.takes / "manifest.csv").write_text("", encoding="utf-8")
    process = bucket.clone.start("dvc", "repro", "curate")
    output = process.communicate()[0]
    assert process.returncode != 0
    assert "error in list_sources: s3://bucket/takes/manifest.csv: the file is empty" in output
    assert "Traceback" not in output
    assert {path: path.read_bytes() for path in before} == before
    bucket.manifest(SPLITS)
    assert bucket.repro() == {"list_sources"}


def test_a_changed_and_a_new_object_are_noticed_and_cost_these_clips_alone(bucket: Bucket) -> None:
    bucket.bring("mei-1", "mei-1", start=1.5)
    bucket.bring("amara-1", "amara-1")
    bucket.manifest(SPLITS | {"amara-1": "train"})
    assert bucket.repro() == CHAIN
    assert [bucket.made(stage) for stage in ("ingest", "extract_poses")] == [{"mei-1", "amara-1"}] * 2
    assert len(Curated.load(Workspace(bucket.clone.root).curated).table) == len(SPLITS) + 1
