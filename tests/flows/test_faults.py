"""A full disk, and two `dvc repro` at once."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cospeech.harness.clip_cache import ClipStore
from cospeech.harness.files import atomic_path, read_json, write_json
from tests.flows.support import Start, wait_for


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=False, stderr=-3)
    if mounted.returncode:
        pytest.skip("a tmpfs cannot be mounted by this user, so no disk can be filled")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_leaves_what_was_there_whole_and_nothing_half(small_disk: Path, tmp_path: Path) -> None:
    write_json(small_disk / "state.json", {"kept": True})
    with pytest.raises(OSError, match="No space left"), atomic_path(small_disk / "state.json") as path:
        path.write_bytes(b"x" * 2_000_000)
    assert read_json(small_disk / "state.json") == {"kept": True}
    big = tmp_path / "big"
    big.write_bytes(b"x" * 2_000_000)
    store = ClipStore(small_disk / "store", "poses", "salt")
    with pytest.raises(OSError, match="No space left"):
        store.put(store.key("a"), {"r": big})
    assert not store.fetch(store.key("a"), {"r": tmp_path / "out"})
    assert not (tmp_path / "out").exists()
    left = [path for path in small_disk.rglob("*") if path.is_file()]
    assert left == [small_disk / "state.json"]


def test_of_two_repro_at_once_one_says_who_holds_the_folder_and_waits(
    project: Path, start_pipeline: Any, environment: dict[str, str]
) -> None:
    first = start_pipeline("hold")
    assert wait_for((project / "holding").exists, 120)
    second = subprocess.Popen(
        [sys.executable, "-m", "flows.pipeline"],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert second.stdout is not None
    said = []
    for line in second.stdout:
        said.append(line)
        if "another dvc works in this folder, trying again" in line:
            (project / "release").touch()
            break
    rest = second.communicate(timeout=300)[0]
    assert "another dvc works in this folder" in "".join(said), "".join(said)
    assert first.wait(timeout=300) == 0
    assert second.returncode == 0, rest


def test_a_stage_on_a_full_disk_says_so_in_one_line(start_stage: Start) -> None:
    process = start_stage("disk full")
    output = process.communicate(timeout=120)[0]
    assert process.returncode == 1
    assert "error in fake: the disk is full at" in output
    assert "Traceback" not in output
