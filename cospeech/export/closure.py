"""Find the modules that a module needs by following its imports, so that no list is maintained by hand."""

import ast
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import grimp


@dataclass(frozen=True)
class Closure:
    """The modules that a module needs.

    files: relative to the package's folder, sorted. packages: third-party packages that they import.
    """

    files: tuple[Path, ...]
    packages: tuple[str, ...]


@cache
def import_graph(*packages: str, external: bool = False) -> grimp.ImportGraph:
    """Build the import graph, including imports in functions, without imports under TYPE_CHECKING."""
    return grimp.build_graph(
        *packages, include_external_packages=external, exclude_type_checking_imports=True, cache_dir=None
    )


def imported_modules(graph: grimp.ImportGraph, roots: set[str], follow: Callable[[str], bool]) -> set[str]:
    """Return `roots` and the modules that they import, directly or indirectly, as far as `follow` accepts them.

    The packages above a module are included, because Python runs their `__init__`.
    """
    seen: set[str] = set()
    waiting = set(roots)
    while waiting:
        module = waiting.pop()
        seen.add(module)
        found = graph.find_modules_directly_imported_by(module) | _above(module)
        waiting |= {each for each in found if follow(each)} - seen
    return seen


def _above(module: str) -> set[str]:
    parts = module.split(".")
    return {".".join(parts[:depth]) for depth in range(1, len(parts))}


def import_closure(folder: Path, root: str) -> Closure:
    """Find the modules of the package `folder` that its module `root` ("inference.speaker") needs.

    The package's own `__init__` is left out: a copy has its own.

    Raises:
        ValueError: a module uses an absolute import of the project, which would fail in a copy under another name.
    """
    package = folder.name
    graph = import_graph(package, external=True)
    modules = imported_modules(graph, {f"{package}.{root}"}, lambda each: each.startswith(f"{package}."))
    files = sorted(_file(folder, module) for module in modules)
    outside = {
        name.split(".")[0] for module in modules for name in graph.find_modules_directly_imported_by(module)
    } - set(sys.stdlib_module_names)
    for file in files:
        _refuse_absolute_imports(folder / file, {package, "cospeech", "stages", "flows"})
    return Closure(tuple(files), tuple(sorted(outside - {package})))


def _file(folder: Path, module: str) -> Path:
    path = Path(*module.split(".")[1:])
    return path / "__init__.py" if (folder / path).is_dir() else path.with_suffix(".py")


def _refuse_absolute_imports(path: Path, project: set[str]) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        else:
            continue
        if {name.split(".")[0] for name in names} & project:
            raise ValueError(
                f"{path}, line {node.lineno}: absolute import of the project; exported modules must import relatively"
            )
