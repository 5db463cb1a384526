"""Run `cospeech` as if no more were installed than the wheel brings: python -m tests.helpers.base_only ARGUMENTS.

`import MODULE...` as the arguments imports these instead.
"""

import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def installed_with(requirements: Sequence[str]) -> set[str]:
    """Names of the distributions that these ask for, directly or not, here."""
    found: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        try:
            waiting += requires(name) or []
        except PackageNotFoundError:  # left out by [tool.uv] override-dependencies
            continue
        found.add(name)
    return found


class Without:
    """A finder of modules that does not know some of the top-level ones."""

    def __init__(self, finder: Any, absent: set[str]) -> None:
        self._finder, self._absent = finder, absent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)

    def find_spec(self, name: str, *arguments: Any) -> ModuleSpec | None:
        return None if name.split(".")[0] in self._absent else self._finder.find_spec(name, *arguments)


def absent_modules() -> Iterator[str]:
    # one OpenCV stands for another: [tool.uv] in pyproject.toml
    there = {*installed_with(project()["dependencies"]), "cospeech", "opencv-contrib-python-headless"}
    for module, distributions in packages_distributions().items():
        if not there & {canonicalize_name(name) for name in distributions}:
            yield module


def main(arguments: Sequence[str]) -> int:
    absent = set(absent_modules())
    sys.meta_path[:] = [Without(finder, absent) for finder in sys.meta_path]
    if arguments[0] == "import":
        for name in arguments[1:]:
            import_module(name)
        return 0
    from cospeech.cli import main as command

    return command(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
