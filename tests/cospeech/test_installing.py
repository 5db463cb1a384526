"""What installs: the wheel, the names that `import cospeech` offers, the locks."""

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import cospeech
from tests.helpers.base_only import project


def test_import_is_cheap(repository: Path) -> None:
    code = "import sys, time; begun = time.process_time(); import cospeech; taken = time.process_time() - begun\n"
    code += "print(taken, 'torch' in sys.modules, 'numpy' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    taken, *heavy = said.stdout.split()
    assert heavy == ["False", "False"]
    assert float(taken) < 0.05


def test_public_names_are_there() -> None:
    assert set(cospeech.__all__) <= set(dir(cospeech))
    assert [name for name in cospeech.__all__ if getattr(cospeech, name).__module__.split(".")[0] != "cospeech"] == []
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = cospeech.nothing_of_the_kind


def test_wheel_holds_the_library_alone(repository: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(repository / name, copy / name)
    for name in ("cospeech", "flows", "stages"):
        shutil.copytree(repository / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    code = f"from setuptools import build_meta; print(build_meta.build_wheel({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=copy, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.startswith(f"cospeech-{cospeech.__version__}-")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}
    sources = (path for path in (copy / "cospeech").rglob("*") if path.is_file())
    assert packed == {path.relative_to(copy).as_posix() for path in sources}
    assert "cospeech/py.typed" in packed


def test_the_wheel_can_speak_and_serve(repository: Path) -> None:
    modules = ["cospeech.inference.generate", "cospeech.serving.server", "cospeech.provenance.bundle"]
    command = [sys.executable, "-m", "tests.helpers.base_only"]
    run = subprocess.run([*command, "import", *modules], cwd=repository, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    run = subprocess.run([*command, "ledger"], cwd=repository, capture_output=True, text=True)
    assert run.returncode == 1
    assert "needs pandas" in run.stderr
    assert "make env" in run.stderr


def locked(path: Path) -> dict[str, list[Requirement]]:
    """The pins of a lock by name; the same package may have one for each version of Python."""
    pins: dict[str, list[Requirement]] = {}
    for line in re.findall(r"^([a-z0-9][^\\\n]*)", path.read_text(encoding="utf-8"), re.M):
        pin = Requirement(line.strip())
        pins.setdefault(canonicalize_name(pin.name), []).append(pin)
    return pins


def test_locks_hold_what_pyproject_names(repository: Path) -> None:
    demo, dev = (locked(repository / name) for name in ("requirements.lock", "requirements-dev.lock"))
    assert not set(demo) & set(dev)
    extras = project()["optional-dependencies"]
    run = [Requirement(text) for text in (*project()["dependencies"], *extras.pop("pipeline"))]
    assert {canonicalize_name(each.name) for each in run} <= set(demo)
    for requirement in (*run, *(Requirement(text) for extra in extras.values() for text in extra)):
        pins = {**demo, **dev}.get(canonicalize_name(requirement.name), [])
        assert pins, f"{requirement}: in no lock; run `make lock`"
        for pin in pins:
            if pin.marker and not pin.marker.evaluate():  # of another Python, or left out by [tool.uv]
                continue
            (version,) = {Version(each.version) for each in pin.specifier}
            assert requirement.specifier.contains(version), f"{requirement} and {pin} disagree; run `make lock`"


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_locks_name_no_address(repository: Path, name: str) -> None:
    assert re.search(r"://|--(extra-)?index-url|--find-links", (repository / name).read_text(encoding="utf-8")) is None
