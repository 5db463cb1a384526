"""The command as it is started: it serves a real export, ends on Ctrl+C, and refuses to be open to all."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from cospeech.cli import main
from tests.cospeech.inference.small import SETTINGS, models


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    export, parts = root / "models/export", models()
    for name in ("student", "codec", "deformer", "pose_encoder", "motion"):
        getattr(parts, name).save_pretrained(export / name)
    (export / "sampling.json").write_text(json.dumps(asdict(SETTINGS)))
    (export / "provenance.json").write_text(json.dumps({"name": "small"}))
    return root


@pytest.fixture
def running(project: Path, repository: Path) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(
        [sys.executable, "-m", "cospeech.cli", "serve", "--root", str(project), "--port", "0"],
        cwd=repository, env=os.environ | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    yield process
    process.kill()
    process.communicate()


def test_it_serves_and_ends(running: "subprocess.Popen[str]") -> None:
    assert running.stdout is not None
    line = running.stdout.readline()
    found = re.match(r"(http://127\.0\.0\.1:\d+)  \(\d+ simultaneous talks", line)
    assert found, line
    with urllib.request.urlopen(f"{found[1]}/about") as answer:
        about = json.loads(answer.read())
    assert about["people"] == []
    assert about["size"] == 64
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=30)
    assert running.returncode == 0
    assert errors == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "0.0.0.0"], "--token"),
        (["--host", "0.0.0.0", "--token", "short"], "5 characters"),
        (["--model", "nowhere"], "nowhere: not an export"),
        (["--people", "nowhere"], "nowhere: no such folder"),
        (["--host", "203.0.113.7", "--token", "a secret of some length"], "cannot be opened"),
        (["--talks", "0"], "at least 1"),
        (["--chunk", "0"], "--chunk is 0"),
        (["--key", "key.pem"], "--certificate"),
        (["--certificate", "nowhere.pem", "--key", "key.pem"], "nowhere.pem: no such file"),
        (["--certificate", __file__], "PEM certificate"),
    ],
)
def test_what_it_refuses(
    project: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COSPEECH_TOKEN", raising=False)
    assert main(["serve", "--root", str(project), *arguments]) in (1, 2)
    assert message in capsys.readouterr().err
