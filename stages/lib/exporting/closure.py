"""Which source files a module needs, read from its imports, so that no list has to be kept by hand."""

import ast
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Closure:
    """files: relative to the package's folder, sorted. packages: what they import from
    elsewhere, without Python's own."""

    files: tuple[Path, ...]
    packages: tuple[str, ...]


def import_closure(folder: Path, roots: Sequence[str]) -> Closure:
    """The modules of `folder` that `roots` (relative file names) import, directly or not, by relative imports.

    Raises:
        ValueError: an import leads out of the folder, or is an absolute import of the project.
    """
    project = {"stages", "flows"}
    files: set[Path] = set()
    packages: set[str] = set()
    waiting = [Path(root) for root in roots]
    while waiting:
        path = waiting.pop()
        if path in files:
            continue
        files.add(path)
        inside, outside = _imports(folder, path)
        if outside & project:
            raise ValueError(
                f"{folder / path} imports the project absolutely; exported modules import each other by dots"
            )
        packages |= outside - set(sys.stdlib_module_names)
        waiting += sorted(inside)
    return Closure(tuple(sorted(files)), tuple(sorted(packages)))


def _imports(folder: Path, path: Path) -> tuple[set[Path], set[str]]:
    """Files inside the folder and top-level packages outside that one file imports."""
    inside, outside = _inits(folder, path), set()
    for node in ast.walk(ast.parse((folder / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            outside |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert node.module is not None
            outside.add(node.module.split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            above = [path.parent, *path.parent.parents]
            if node.level > len(above):
                raise ValueError(f"{folder / path} line {node.lineno} imports from above {folder}")
            base = above[node.level - 1].joinpath(*(node.module or "").split("."))
            candidates = [base, *(base / alias.name for alias in node.names)]
            found = {each.with_suffix(".py") for each in candidates if (folder / each.with_suffix(".py")).is_file()}
            found |= {each / "__init__.py" for each in candidates if (folder / each / "__init__.py").is_file()}
            inside |= found - {Path("__init__.py")}
    return inside, outside


def _inits(folder: Path, path: Path) -> set[Path]:
    """The __init__ of every package between the folder and the file."""
    names = {parent / "__init__.py" for parent in path.parents if parent != Path()}
    return {name for name in names if (folder / name).is_file()} - {path}
