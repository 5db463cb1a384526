"""DVC's remote on a real S3 server: it dies in mid-push and comes back, refuses, or is not there."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cospeech.harness.files import file_digest
from tests.helpers.s3 import S3Server

FILES, SIZE = 40, 400_000


class Project:
    """A DVC project of some tens of files on a remote; nothing is retried for long."""

    def __init__(self, root: Path, server: S3Server, bucket: str = "store") -> None:
        self.root, self.endpoint = root, server.endpoint
        root.mkdir()
        (root / ".dvc").mkdir()
        self.configure(bucket)

    def configure(self, bucket: str) -> None:
        """As docs/guides/retraining.md says, and quick to give up."""
        settings = {
            "url": f"s3://{bucket}/cache",
            "endpointurl": self.endpoint,
            "read_timeout": "5",
            "connect_timeout": "5",
            "verify": "true",
        }
        lines = [f"    {name} = {value}" for name, value in settings.items()]
        text = "\n".join(["[core]", "    no_scm = True", "    remote = s3", "['remote \"s3\"']", *lines])
        (self.root / ".dvc/config").write_text(text + "\n", encoding="utf-8")

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "dvc", *arguments],
            cwd=self.root,
            env={**os.environ, "AWS_MAX_ATTEMPTS": "1", "DVC_SITE_CACHE_DIR": str(self.root / "site")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        process = self.start(*arguments)
        output = process.communicate(timeout=120)[0]
        return process.returncode, output

    def __call__(self, *arguments: str) -> None:
        status, output = self.run(*arguments)
        assert status == 0, output

    def forget(self) -> None:
        """As on another machine: neither the data nor the cache."""
        for name in ("data", ".dvc/cache"):
            shutil.rmtree(self.root / name, ignore_errors=True)

    def digests(self) -> dict[str, str]:
        return {path.name: file_digest(path) for path in sorted((self.root / "data").iterdir())}


@pytest.fixture
def project(tmp_path: Path, s3_server: S3Server) -> Project:
    s3_server.bucket("store")
    project = Project(tmp_path / "project", s3_server)
    (project.root / "data").mkdir()
    for index in range(FILES):
        (project.root / f"data/{index:02d}.bin").write_bytes(os.urandom(SIZE))
    project("add", "data", "-q")
    return project


def test_the_server_dies_in_mid_push_and_comes_back(project: Project, s3_server: S3Server) -> None:
    """The killed push fails in words; the next finishes it, and what another machine pulls is what was there."""
    before = project.digests()
    there = s3_server.root / "store/cache"
    pushing = project.start("push", "--jobs", "1")
    while pushing.poll() is None and len([path for path in there.rglob("*") if path.is_file()]) < 5:
        time.sleep(0.01)
    s3_server.kill()
    output = pushing.communicate(timeout=120)[0]
    pushed = len([path for path in there.rglob("*") if path.is_file()])
    assert 5 <= pushed < FILES + 1, output
    assert pushing.returncode != 0
    assert "failed" in output.lower()
    s3_server.start()
    project("push", "-q")
    project.forget()
    project("pull", "-q")
    assert project.digests() == before


def test_a_half_written_object_is_never_read_as_whole(project: Project, s3_server: S3Server) -> None:
    """As a server that lost its disk's last blocks would leave one: found out, and mended."""
    before = project.digests()
    project("push", "-q")
    whole = shutil.copytree(project.root / ".dvc/cache", project.root / "kept")
    there = s3_server.root / "store/cache"
    victim = next(path for path in there.rglob("*") if path.stat().st_size == SIZE)
    victim.write_bytes(victim.read_bytes()[: SIZE // 2])
    project.forget()
    status, output = project.run("pull")
    assert status != 0, output
    assert {path.stat().st_size for path in (project.root / ".dvc/cache/files/md5").glob("??/*[!r]")} == {SIZE}
    shutil.copytree(whole, project.root / ".dvc/cache", dirs_exist_ok=True)
    for path in (victim, *there.rglob("*.dir")):  # a .dir object is DVC's proof that the files of that folder are there
        path.unlink()
    project("push", "-q")
    project.forget()
    project("pull", "-q")
    assert project.digests() == before


def test_wrong_credentials_and_a_missing_bucket_are_said(
    project: Project, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.configure("absent")
    status, output = project.run("push")
    assert status != 0
    assert "bucket" in output.lower()
    project.configure("store")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    status, output = project.run("push")
    assert status != 0
    assert "SignatureDoesNotMatch" in output or "Forbidden" in output or "denied" in output.lower(), output
    assert not (s3_server.root / "store/cache").exists()
