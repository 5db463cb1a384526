"""What DVC's graph must say of each stage, read from the code: the library files it imports and the sections it reads.

The graph is dvc.yaml, and sources/dvc.yaml for the stage that always runs (docs/decisions/080-sources-apart.md).

DVC reruns a stage when a dependency changes, so a library file that is missing there gives stale results, and a file
too many gives runs for nothing. `make deps` (`python -m flows.graph`) writes these lists; `make lint` compares.
"""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from stages.lib.files import atomic_path

FRAME = frozenset(
    f"stages/lib/{name}.py"
    for name in ("clusters", "context", "files", "notices", "parallel", "report", "store", "team", "workspace")
)
"""Files that carry results and do not make them: a change there, or in what only they import, makes nothing stale."""


def load_files(root: Path) -> dict[str, dict[str, Any]]:
    """The `stages` of each file of the graph, by its path as written: what sources/dvc.yaml has comes first."""
    paths = [*root.glob("sources/dvc.yaml"), root / "dvc.yaml"]
    return {path.relative_to(root).as_posix(): _stages(path) for path in paths}


def load_graph(root: Path) -> dict[str, Any]:
    """The stages of all files of the graph."""
    return {name: stage for stages in load_files(root).values() for name, stage in stages.items()}


def load_lock(root: Path) -> dict[str, Any]:
    """By stage, what DVC has written down of its last run."""
    locks = [root / file.replace(".yaml", ".lock") for file in reversed(load_files(root))]
    return {name: stage for path in locks if path.is_file() for name, stage in _stages(path).items()}


def _stages(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8"))["stages"])


def outputs(root: Path) -> list[Path]:
    """Every output and metrics file of every stage."""
    return [root / path for path in made_by(root)]


def made_by(root: Path) -> dict[str, str]:
    """Path as written, to the stage whose output or metrics file it is."""
    return {
        next(iter(entry)) if isinstance(entry, dict) else entry: name
        for name, stage in load_graph(root).items()
        for entry in [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]
    }


def library_closure(root: Path, stage: str) -> set[str]:
    """Files under stages/lib that `stages/NAME.py` imports, directly or not, in functions too; without FRAME."""
    seen: set[str] = set()
    waiting = {f"stages/{stage}.py"}
    while waiting:
        path = waiting.pop()
        seen.add(path)
        waiting |= _imports(root, path) - seen - FRAME
    return {path for path in seen if path.startswith("stages/lib/")}


@cache
def _imports(root: Path, path: str) -> set[str]:
    package = Path(path).parent.parts
    found: set[str] = set()
    tree = ast.parse((root / path).read_text(encoding="utf-8"))
    for block in (node for node in ast.walk(tree) if isinstance(node, ast.If)):
        if ast.unparse(block.test) == "TYPE_CHECKING":
            block.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = list(package[: len(package) - node.level + 1]) if node.level else []
            base = start + (node.module.split(".") if node.module else [])
            modules = [base, *([*base, alias.name] for alias in node.names)]
        else:
            continue
        for parts in modules:
            found |= _files(root, parts)
    return found


def _files(root: Path, parts: list[str]) -> set[str]:
    """The file of a module of the library, and the `__init__.py` of each package above it, if they hold any code."""
    if parts[:2] != ["stages", "lib"]:
        return set()
    packages = ["/".join([*parts[:depth], "__init__.py"]) for depth in range(3, len(parts) + 1)]
    found = {path for path in packages if (root / path).is_file() and _holds_code(root, path)}
    module = "/".join(parts) + ".py"
    return found | ({module} if (root / module).is_file() else set())


@cache
def _holds_code(root: Path, path: str) -> bool:
    """More than a docstring."""
    body = ast.parse((root / path).read_text(encoding="utf-8")).body
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)


def library_deps(root: Path, stage: str) -> list[str]:
    """The closure as dvc.yaml should list it: a folder where every file of it is used, else the files."""
    closure = library_closure(root, stage)
    deps: set[str] = set()
    for path in closure:
        folder = Path(path).parent
        whole = {each.relative_to(root).as_posix() for each in (root / folder).glob("*.py") if _counts(root, each)}
        nested = any(each.is_dir() and each.name != "__pycache__" for each in (root / folder).iterdir())
        deps.add(folder.as_posix() if whole <= closure and len(whole) > 1 and not nested else path)
    return sorted(deps)


def _counts(root: Path, path: Path) -> bool:
    return path.name != "__init__.py" or _holds_code(root, path.relative_to(root).as_posix())


def sections(root: Path, stage: str) -> set[str]:
    """Sections of params.yaml that `stages/NAME.py` reads as `params.SECTION`, without `compute`.

    Names that begin with model_ are pydantic's own: methods of all sections together.
    """
    tree = ast.parse((root / f"stages/{stage}.py").read_text(encoding="utf-8"))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "params"
        if not node.attr.startswith("model_")
    } - {"compute"}


def stage_deps(root: Path, stage: str) -> list[str]:
    """All of the code that makes the outputs of a stage."""
    return [f"stages/{stage}.py", *library_deps(root, stage)]


def stage_params(root: Path, stage: str) -> list[str]:
    """The sections it reads, in the order of params.yaml."""
    order = [*yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8")), *sorted(sections(root, stage))]
    return sorted(sections(root, stage), key=order.index)


def problems(root: Path, stage: str) -> list[str]:
    """Sentences on what the entry of `stage` lacks or has too much of."""
    file, entry = next((file, stages[stage]) for file, stages in load_files(root).items() if stage in stages)
    lists = {
        "deps": ({dep for dep in entry["deps"] if dep.startswith("stages/")}, set(stage_deps(root, stage))),
        "params": (set(entry.get("params", [])), sections(root, stage)),
    }
    found = []
    for key, (listed, needed) in lists.items():
        found += [f"{file}: {stage}: {key}: add {name}" for name in sorted(needed - listed)]
        found += [f"{file}: {stage}: {key}: drop {name}" for name in sorted(listed - needed)]
    return found


def rewrite(root: Path, file: str) -> str:
    """The text of a file of the graph with the code under `deps`, and `params`, of each stage as they should be.

    Only lists in block style are touched, one entry a line; comments and all else stay as they are.
    """
    text = (root / file).read_text(encoding="utf-8")
    for stage in load_files(root)[file]:
        if not (root / f"stages/{stage}.py").is_file():
            continue
        start = re.search(rf"^  {stage}:\n", text, re.MULTILINE)
        assert start is not None, stage
        after = re.search(r"^  \w+:\n", text[start.end() :], re.MULTILINE)
        end = start.end() + after.start() if after else len(text)
        body = text[start.end() : end]
        deps = "".join(f"      - {name}\n" for name in stage_deps(root, stage))
        body = re.sub(r"(?:      - stages/\S+\n)+", deps, body, count=1)
        body = re.sub(r"    params: \[.*\]\n", f"    params: [{', '.join(stage_params(root, stage))}]\n", body)
        text = text[: start.end()] + body + text[end:]
    return text


def main() -> None:
    root = Path.cwd()
    for file in load_files(root):
        text = rewrite(root, file)
        with atomic_path(root / file) as path:
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
