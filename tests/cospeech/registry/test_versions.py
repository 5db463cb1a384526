"""Promotion in folders and on a real S3 server, killed in the middle and brought back."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cospeech.footage.consent import Revocation, save_revocations
from cospeech.harness.files import file_digest, read_json, write_json
from cospeech.harness.workspace import Workspace
from cospeech.provenance.bundle import check_bundle, sign_bundle
from cospeech.provenance.identity import load_identity
from cospeech.registry.service import known_decision, promote_export, roll_back, unusable_versions
from cospeech.registry.versions import Registry
from tests.helpers.s3 import S3Server

ENTRY = {"when": "2026-01-02T03:04:05+00:00", "reason": "better"}


def bundle(root: Path, content: str, files: int = 3, clip: str = "ann-1") -> Path:
    folder = root / "models/export"
    (folder / "student").mkdir(parents=True, exist_ok=True)
    digests = {}
    for index in range(files):
        name = f"student/part{index}.safetensors"
        (folder / name).write_text(f"{content} {index}" * 50)
        digests[name] = file_digest(folder / name)
    record = {"name": "m", "training_clips": [{"clip": clip, "sha256": clip[0] * 64}], "files": digests}
    (folder / "provenance.json").write_text(json.dumps(record))
    (folder / "student/__pycache__").mkdir(exist_ok=True)
    (folder / "student/__pycache__/x.pyc").touch()
    return folder


@pytest.fixture(params=["folder", "s3"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Registry:
    if request.param == "folder":
        return Registry.at("models/registry", None, tmp_path)
    server: S3Server = request.getfixturevalue("s3_server")
    server.bucket("models")
    return Registry.at("s3://models/talk", server.endpoint, tmp_path)


def test_promote_fetch_roll_back(registry: Registry, tmp_path: Path) -> None:
    assert registry.state().production is None
    with pytest.raises(ValueError, match="production"):
        registry.rollback(ENTRY)
    for content in ("one", "two", "three"):
        registry.promote(bundle(tmp_path, content), ENTRY)
    registry.keep({**ENTRY, "reason": "worse"})
    assert registry.state().production == "v0003"
    registry.fetch("v0003", tmp_path / "out")
    names = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert names == ["provenance.json", *(f"student/part{index}.safetensors" for index in range(3))]
    assert (tmp_path / "out/student/part1.safetensors").read_text().startswith("three 1")
    with pytest.raises(ValueError, match="exists"):
        registry.fetch("v0002", tmp_path / "out")
    assert (tmp_path / "out/student/part1.safetensors").read_text().startswith("three 1")
    assert registry.rollback(ENTRY) == "v0002"
    assert registry.rollback(ENTRY) == "v0001"
    with pytest.raises(ValueError, match="before v0001"):
        registry.rollback(ENTRY)
    registry.promote(bundle(tmp_path, "four"), ENTRY)
    assert registry.rollback(ENTRY) == "v0001"  # 2 and 3 were found wanting
    history = [(entry["action"], entry["version"]) for entry in registry.state().history]
    assert history[2:6] == [
        ("promoted", "v0003"),
        ("kept", "v0003"),
        ("rolled back from", "v0003"),
        ("rolled back from", "v0002"),
    ]


def test_a_damaged_version_is_not_fetched(registry: Registry, tmp_path: Path) -> None:
    registry.promote(bundle(tmp_path, "one"), ENTRY)
    root = tmp_path / "models/registry"
    base = root if root.is_dir() else tmp_path / "s3/buckets/models/talk"
    part = base / "versions/v0001/student/part0.safetensors"
    part.write_text(part.read_text().replace("one", "two", 1))
    with pytest.raises(ValueError, match="hash differs"):
        registry.fetch("v0001", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../../../pwned.safetensors", "student/part0.so"])
def test_a_version_that_is_no_export_is_not_fetched(tmp_path: Path, name: str) -> None:
    """Whoever writes to the registry writes its hashes too."""
    registry = Registry.at("models/registry", None, tmp_path)
    registry.promote(bundle(tmp_path, "one"), ENTRY)
    folder = tmp_path / "models/registry/versions/v0001"
    target = folder / name
    target.write_text("pwned")
    record = read_json(folder / "provenance.json")
    write_json(folder / "provenance.json", record | {"files": record["files"] | {name: file_digest(target)}})
    index = read_json(folder / "version.json")
    for each in (name, "provenance.json"):
        index["files"][each] = file_digest(folder / each)
    write_json(folder / "version.json", index)
    with pytest.raises(ValueError, match=r"leaves the folder|of a kind"):
        registry.fetch("v0001", tmp_path / "a/b/out")
    assert [path for path in tmp_path.rglob("pwned.*") if path != target.resolve()] == []
    assert not (tmp_path / "a/b/out").exists()


def test_what_was_promoted_verifies_when_it_is_fetched(tmp_path: Path) -> None:
    """With the measures that lie beside it in the registry, and without what Python wrote into the export."""
    workspace, registry = Workspace(tmp_path), Registry.at("models/registry", None, tmp_path)
    sign_bundle(bundle(tmp_path, "one"), load_identity(tmp_path / "signing", None, None))
    write_json(workspace.metrics, {"student": {}})
    registry.fetch(promote_export(registry, workspace, "better", {}), tmp_path / "out")
    assert check_bundle(tmp_path / "out").problems == []
    part = workspace.model("export") / "student/part1.safetensors"
    part.write_text("other weights")
    with pytest.raises(ValueError, match=r"part1\.safetensors: changed since"):
        promote_export(registry, workspace, "better", {})
    assert registry.state().production == "v0001"


CHILD = """
import sys
from pathlib import Path
from cospeech.registry.versions import Registry
registry, bundle = Registry(sys.argv[1], sys.argv[2] or None), Path(sys.argv[3])
registry.state()
print("ready", flush=True)
registry.promote(bundle, {"when": "now", "reason": "better"})
"""


@pytest.mark.parametrize("kill_at", [1, 20])
def test_a_promotion_killed_in_the_middle_leaves_the_old_model_whole(
    registry: Registry, tmp_path: Path, repository: Path, kill_at: int
) -> None:
    """Really killed, when so many files of 20 are there; the next promotion starts afresh."""
    registry.promote(bundle(tmp_path, "old", files=20), ENTRY)
    new = bundle(tmp_path, "new", files=20)
    root = tmp_path / "models/registry"
    folder = (root if root.is_dir() else tmp_path / "s3/buckets/models/talk") / "versions/v0002"
    arguments = [registry.location, registry.endpoint_url or "", str(new)]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, *arguments],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    while child.poll() is None and len(list(folder.glob("student/*"))) < kill_at:
        time.sleep(0.0005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    there = len(list(folder.glob("student/*")))
    assert there >= kill_at
    version = registry.state().production
    if version == "v0002":  # the machine was faster than the signal
        assert child.returncode in (0, -signal.SIGKILL)
        assert there == 20
    registry.fetch(str(version), tmp_path / "out")
    content = "new" if version == "v0002" else "old"
    assert (tmp_path / "out/student/part19.safetensors").read_text().startswith(f"{content} 19")
    expected = "v0003" if version == "v0002" else "v0002"
    assert registry.promote(bundle(tmp_path, "newer", files=2), ENTRY) == expected
    registry.fetch(expected, tmp_path / "again")
    assert (tmp_path / "again/student/part1.safetensors").read_text().startswith("newer 1")


def test_what_a_folder_lacks_is_not_told_of_s3(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"v0009/version\.json"):
        Registry(str(tmp_path / "models/registry"), None).index("v0009")


def test_a_registry_that_cannot_be_reached_is_an_error_never_an_empty_one(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3_server.bucket("models")
    with pytest.raises(ValueError, match="bucket missing"):
        Registry("s3://missing/talk", s3_server.endpoint).state()
    with monkeypatch.context() as wrong:
        wrong.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        with pytest.raises(ValueError, match="credentials"):
            Registry("s3://models/talk", s3_server.endpoint).state()
    s3_server.kill()
    with pytest.raises(ValueError, match=r"registry.endpoint_url"):
        Registry("s3://models/talk", s3_server.endpoint).state()


def test_a_rejected_model_does_not_come_back(tmp_path: Path) -> None:
    workspace, registry = Workspace(tmp_path), Registry.at("models/registry", None, tmp_path)
    for content, clip in (("one", "ann-1"), ("two", "bob-1"), ("three", "cat-1")):
        bundle(tmp_path, content, clip=clip)
        assert known_decision(registry, registry.state(), workspace.model("export")) is None
        promote_export(registry, workspace, "better", {})
    same = known_decision(registry, registry.state(), workspace.model("export"))
    assert same is not None
    assert (same.promote, "v0003" in same.reason) == (False, True)
    save_revocations(workspace.revoked, [Revocation("bob-1", "b.mp4", "", "2026-01-02", "")])
    assert unusable_versions(registry, workspace) == ["v0002"]
    assert roll_back(registry, workspace, "odd hands") == ("v0003", "v0001")
    again = known_decision(registry, registry.state(), workspace.model("export"))
    assert again is not None
    assert (again.promote, "v0003" in again.reason) == (False, True)
