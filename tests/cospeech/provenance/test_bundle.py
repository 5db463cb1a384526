"""An export is the files of its signed record and nothing else."""

import py_compile
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cospeech.harness.files import file_digest, write_json
from cospeech.provenance.bundle import check_bundle, listed_files, sign_bundle
from cospeech.provenance.identity import load_identity


def made(folder: Path, files: dict[str, bytes]) -> Path:
    """An export of these files, signed by the project's own key."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    digests = {name: file_digest(folder / name) for name in files}
    write_json(folder / "provenance.json", {"files": digests, "training_clips": []})
    sign_bundle(folder, load_identity(folder.parent / "signing", None, None))
    return folder


@pytest.fixture
def export(tmp_path: Path) -> Path:
    code = {"runtime/__init__.py": b"from . import allocator\n", "runtime/allocator.py": b"print('ours')\n"}
    return made(tmp_path / "export", code | {"net/config.json": b"{}", "README.md": b"# m\n"})


def imported(export: Path) -> str:
    command = "import sys; sys.path.insert(0, sys.argv[1]); import runtime"
    ran = subprocess.run([sys.executable, "-IB", "-c", command, export], capture_output=True, text=True, check=True)
    return ran.stdout


def foreign_bytecode(export: Path) -> None:
    source = export.parent / "foreign.py"
    source.write_text("print('foreign')\n")
    target = export / f"runtime/__pycache__/allocator.{sys.implementation.cache_tag}.pyc"
    py_compile.compile(str(source), str(target), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)


def test_foreign_bytecode_that_python_would_run_is_a_problem(export: Path) -> None:
    assert check_bundle(export).problems == []
    assert imported(export) == "ours\n"
    assert check_bundle(export).problems == []  # python -B left nothing behind
    foreign_bytecode(export)
    assert imported(export) == "foreign\n"
    [problem] = check_bundle(export).problems
    assert ".pyc" in problem


@pytest.mark.parametrize(
    ("name", "add"),
    [
        ("runtime/allocator.abi3.so", lambda path: path.write_bytes(b"\x7fELF")),
        ("runtime/more.py", lambda path: path.write_text("print('more')")),
        ("numpy.py", lambda path: path.write_text("print('more')")),
        ("net/weights.bin", lambda path: path.write_bytes(b"pickle")),
        ("NOTES", lambda path: path.write_text("nothing bad")),
        ("more", lambda path: path.symlink_to("/etc", target_is_directory=True)),
        ("net/link.json", lambda path: path.symlink_to("config.json")),
    ],
)
def test_whatever_is_not_listed_is_a_problem(export: Path, name: str, add: Callable[[Path], object]) -> None:
    add(export / name)
    [problem] = check_bundle(export).problems
    assert problem.startswith(f"{name}: ")


def test_the_copy_of_an_export_takes_listed_files_only(export: Path) -> None:
    foreign_bytecode(export)
    there = {"README.md", "net/config.json", "runtime/__init__.py", "runtime/allocator.py"}
    assert set(listed_files(export)) == there
    (export / "net/config.json").write_text("[]")
    with pytest.raises(ValueError, match=r"net/config\.json: changed"):
        listed_files(export)


@pytest.mark.parametrize("name", ["runtime/allocator.abi3.so", "net/weights.bin"])
def test_compiled_code_and_pickles_are_refused_though_listed(tmp_path: Path, name: str) -> None:
    folder = made(tmp_path / "export", {name: b"\x7fELF", "runtime/allocator.py": b""})
    assert [problem.split(": ")[0] for problem in check_bundle(folder).problems] == [name]


def test_listed_links_and_files_elsewhere_are_refused(export: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.json").write_text("{}")
    (export / "net/config.json").unlink()
    (export / "net/config.json").symlink_to(tmp_path / "elsewhere.json")
    outside = made(tmp_path / "other", {"../elsewhere.json": b"{}"})
    assert [problem.split(":")[0] for problem in check_bundle(export).problems] == ["net/config.json"]
    assert check_bundle(outside).problems == ["../elsewhere.json: missing"]


@pytest.mark.parametrize("record", ["[]", "{}", '{"files": []}'])
def test_a_record_that_lists_nothing_is_no_export(tmp_path: Path, record: str) -> None:
    (tmp_path / "provenance.json").write_text(record)
    with pytest.raises(ValueError, match="not an export"):
        check_bundle(tmp_path)
