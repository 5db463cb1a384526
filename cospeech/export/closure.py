"""Read from the imports which modules others need, so that no list has to be kept by hand."""

import ast
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import grimp


@dataclass(frozen=True)
class Closure:
    """files: relative to the package's folder, sorted. packages: imported from elsewhere, without Python's own."""

    files: tuple[Path, ...]
    packages: tuple[str, ...]


@cache
def import_graph(*packages: str, external: bool = False) -> grimp.ImportGraph:
    """Build the graph of imports, those in functions too; what only the type checker imports is left out."""
    return grimp.build_graph(
        *packages, include_external_packages=external, exclude_type_checking_imports=True, cache_dir=None
    )


def imported_modules(graph: grimp.ImportGraph, roots: set[str], follow: Callable[[str], bool]) -> set[str]:
    """List `roots` and the modules that they import, directly or not, of those that `follow` lets pass.

    Python runs the `__init__` of every package above a module: they count too.
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
    """List the modules of the package `folder` that its module `root` ("inference.speaker") imports, directly or not.

    The package's own `__init__` is left out: a copy has its own.

    Raises:
        ValueError: a module imports the project absolutely, which a copy under another name could not.
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
            raise ValueError(f"{path}, line {node.lineno}: imports the project absolutely; exported modules use dots")
