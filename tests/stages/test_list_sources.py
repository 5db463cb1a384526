"""The table of sources differs if, and only if, a source does, in its content, wherever it lies, or ffmpeg."""

import csv
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from cospeech.config import load_params
from cospeech.footage import fingerprints
from cospeech.footage.consent import Revocation, save_revocations
from cospeech.harness.files import read_json
from stages import list_sources
from tests.helpers.footage import another_ffmpeg
from tests.helpers.s3 import S3Server
from tests.stages.small_project import SmallProject


class Sources:
    """Two files in the source folder and one outside of it, named by a manifest."""

    def __init__(self, root: Path, repository: Path) -> None:
        self.folder, self.project = root / "takes", SmallProject(root / "project")
        self.outside = root / "elsewhere.mp4"
        self.folder.mkdir(parents=True)
        for path in (self.folder / "a.mp4", self.folder / "b é.mp4", self.outside):
            path.write_bytes(path.name.encode())
        self.params = load_params(repository / "params.yaml")
        self.manifest("a.mp4", "b é.mp4", str(self.outside), "absent.mp4")

    def manifest(self, *uris: str) -> None:
        with (self.folder / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["uri", "speaker", "licence", "consent"])
            writer.writerows([uri, "ann", "CC0-1.0", "yes"] for uri in uris)

    def listing(self, source: str | None = None, endpoint: str | None = None) -> dict[str, Any]:
        section = self.params.ingest.model_copy(update={"source": source or str(self.folder), "endpoint_url": endpoint})
        list_sources.run(self.params.model_copy(update={"ingest": section}), self.project.context)
        return dict(read_json(self.project.workspace.sources))

    def table(self, source: str | None = None, endpoint: str | None = None) -> dict[str, str]:
        listing = self.listing(source, endpoint)
        return {"manifest": listing["manifest"], **listing["sources"]}


@pytest.fixture
def sources(tmp_path: Path, repository: Path) -> Sources:
    return Sources(tmp_path, repository)


def test_content_counts_and_nothing_else(sources: Sources) -> None:
    first = sources.table()
    assert first["absent.mp4"] == "absent"
    os.utime(sources.folder / "a.mp4", (1, 1))
    (sources.folder / "not named.mp4").write_bytes(b"x")
    assert sources.table() == first
    for path, name in ((sources.folder / "a.mp4", "a.mp4"), (sources.outside, str(sources.outside))):
        path.write_bytes(path.read_bytes() + b"!")
        changed = sources.table()
        assert {key for key in first if first[key] != changed[key]} == {name}
        first = changed
    (sources.folder / "absent.mp4").write_bytes(b"here")
    assert sources.table()["absent.mp4"] != "absent"


def test_a_file_that_did_not_change_is_not_read_again(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    first, read = sources.table(), []
    monkeypatch.setattr(fingerprints, "file_digest", lambda path: read.append(path.name) or "0" * 64)
    assert sources.table() == first
    assert read == []
    (sources.folder / "b é.mp4").write_bytes(b"longer than before")
    sources.table()
    assert read == ["b é.mp4"]


def test_another_ffmpeg_changes_the_table_and_an_absent_one_is_told(sources: Sources, tmp_path: Path) -> None:
    first, params = sources.listing(), sources.params
    for chosen in (another_ffmpeg(tmp_path / "ffmpeg", "5.1"), tmp_path / "absent"):
        media = params.media.model_copy(update={"ffmpeg": chosen})
        sources.params = params.model_copy(update={"media": media})
        if chosen.exists():
            assert sources.listing() == {**first, "ffmpeg": "5.1"} != first
    with pytest.raises(ValueError, match=r"absent: .*No such file.*media\.ffmpeg"):
        sources.listing()


def test_a_revoked_source_is_not_read(sources: Sources) -> None:
    save_revocations(sources.project.workspace.revoked, [Revocation("a-1", "a.mp4", "", "2026-01-02", "")])
    assert "a.mp4" not in sources.table()


def test_a_wrong_manifest_is_told(sources: Sources) -> None:
    (sources.folder / "manifest.csv").write_text("uri,speaker\n", encoding="utf-8")
    with pytest.raises(ValueError, match="column licence is missing"):
        sources.table()


def test_objects_on_s3_are_listed_in_one_request(sources: Sources, s3_server: S3Server) -> None:
    sources.manifest("a.mp4", "b é.mp4", "s3://bucket/takes/b é.mp4", "absent.mp4", "s3://nowhere/x.mp4")
    takes = shutil.copytree(sources.folder, s3_server.bucket("bucket") / "takes")
    first = sources.table("s3://bucket/takes", s3_server.endpoint)
    assert first["b é.mp4"] == first["s3://bucket/takes/b é.mp4"] != first["a.mp4"]
    assert first["absent.mp4"] == first["s3://nowhere/x.mp4"] == "absent"
    assert first["a.mp4"].startswith("etag:")
    (takes / "a.mp4").write_bytes(b"other")
    (takes / "absent.mp4").write_bytes(b"new")
    second = sources.table("s3://bucket/takes", s3_server.endpoint)
    assert {key for key in first if first[key] != second[key]} == {"a.mp4", "absent.mp4"}
