import types
from pathlib import Path

import pytest

from cospeech.harness.files import atomic_path, code_digest, file_digest, read_json, value_digest, write_json


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail_half_way() -> None:
        with atomic_path(target) as path:
            path.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for content in ("one", "two"):
        with atomic_path(target) as path:
            path.mkdir()
            (path / content).write_text(content)
    assert [entry.name for entry in target.iterdir()] == ["two"]
    assert list(tmp_path.iterdir()) == [target]


def test_suffix_is_kept_for_writers_that_look_at_it(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "clip.mp4") as path:
        assert path.suffix == ".mp4"
        path.write_bytes(b"x")


def test_json_of_equal_values_is_equal_and_nan_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": "é"})
    write_json(tmp_path / "b.json", {"a": "é", "b": 1})
    assert file_digest(tmp_path / "a.json") == file_digest(tmp_path / "b.json")
    assert read_json(tmp_path / "a.json") == {"a": "é", "b": 1}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "c.json", {"a": float("nan")})
    assert not (tmp_path / "c.json").exists()


def test_digests_change_with_content() -> None:
    assert value_digest({"a": 1, "b": 2}) == value_digest({"b": 2, "a": 1}) != value_digest({"a": 1})


def test_code_digest_reads_the_source(tmp_path: Path) -> None:
    module = types.ModuleType("made")
    module.__file__ = str(tmp_path / "made.py")
    (tmp_path / "made.py").write_text("x = 1\n")
    before = code_digest(module)
    (tmp_path / "made.py").write_text("x = 2\n")
    assert code_digest(module) != before
