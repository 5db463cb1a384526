"""Keep DVC's graph in step with the code: the rooms of the library that each stage imports, the sections it reads.

The graph is dvc.yaml, and pipelines/sources/dvc.yaml for the stage that always runs (decision 080).

A room is a folder of the library. DVC reruns a stage when a room that it depends on changes: a room that is missing
gives stale results, one too many gives runs for nothing. `make deps` (`python -m flows.graph`) writes these lists;
`make lint` compares (decision 085).
"""

import ast
import io
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from cospeech.export.closure import import_graph, imported_modules
from cospeech.harness.files import atomic_path
from cospeech.utils.json_types import JSONObject

LIBRARY = "cospeech"
FRAME = ("harness", "config")
"""Rooms that carry results and settings and make none: a change there, or in what only they import, stales nothing."""
SOURCES = "pipelines/sources/dvc.yaml"
_WIDTH = 120


def load_files(root: Path) -> dict[str, JSONObject]:
    """Return the `stages` of each file of the graph, by its path as written, in the order in which they run."""
    paths = [*root.glob(SOURCES), root / "dvc.yaml"]
    return {path.relative_to(root).as_posix(): _stages(path) for path in paths}


def load_graph(root: Path) -> JSONObject:
    """Return the stages of all files of the graph."""
    return {name: stage for stages in load_files(root).values() for name, stage in stages.items()}


def _stages(path: Path) -> JSONObject:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8"))["stages"])


def outputs(root: Path) -> list[Path]:
    """List every output, metrics and plots file of every stage."""
    entries = [
        entry
        for stage in load_graph(root).values()
        for kind in ("outs", "metrics", "plots")
        for entry in stage.get(kind, [])
    ]
    return [root / (next(iter(entry)) if isinstance(entry, dict) else entry) for entry in entries]


def library_closure(stage: str) -> set[str]:
    """List the modules of the library that the stage imports, directly or not, in functions too; without FRAME."""
    return imported_modules(import_graph(LIBRARY, "stages"), {f"stages.{stage}"}, _counts) - {f"stages.{stage}"}


def _counts(module: str) -> bool:
    parts = module.split(".")
    return parts[0] == LIBRARY and len(parts) > 1 and parts[1] not in FRAME and _holds_code(module)


@cache
def _holds_code(module: str) -> bool:
    """Return whether a module is more than a docstring, as the `__init__` of most rooms is."""
    body = ast.parse(_path(module).read_text(encoding="utf-8")).body
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)


def _path(module: str) -> Path:
    spec = find_spec(module)
    assert spec is not None, module
    assert spec.origin is not None, module
    return Path(spec.origin)


def rooms(stage: str) -> list[str]:
    """List the folders of the closure, as dvc.yaml names them; one inside another is part of it."""
    modules = library_closure(stage)
    packages = {m if _path(m).name == "__init__.py" else m.rpartition(".")[0] for m in modules}
    folders = {package.replace(".", "/") for package in packages}
    return sorted(each for each in folders if not any(each.startswith(f"{other}/") for other in folders))


def sections(root: Path, stage: str) -> set[str]:
    """List the sections of params.yaml that `stages/NAME.py` reads as `params.SECTION`, without `compute`.

    Names that begin with model_ are pydantic's own: methods of all sections together.
    """
    tree = ast.parse((root / f"stages/{stage}.py").read_text(encoding="utf-8"))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "params"
        if not node.attr.startswith("model_")
    } - {"compute"}


def stage_code(stage: str) -> list[str]:
    """List all code that makes the outputs of a stage."""
    return [f"stages/{stage}.py", *rooms(stage)]


def stage_params(root: Path, stage: str) -> list[str]:
    """List the sections it reads, in the order of params.yaml."""
    order = [*yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8")), *sorted(sections(root, stage))]
    return sorted(sections(root, stage), key=order.index)


def problems(root: Path, stage: str) -> list[str]:
    """Say what the entry of `stage` lacks or has too much of, a sentence each."""
    file, entry = next((file, stages[stage]) for file, stages in load_files(root).items() if stage in stages)
    lists = {
        "deps": ({dep for dep in entry["deps"] if _is_code(dep)}, set(stage_code(stage))),
        "params": (set(entry.get("params", [])), sections(root, stage)),
    }
    found = []
    for key, (listed, needed) in lists.items():
        found += [f"{file}: {stage}: {key}: add {name}" for name in sorted(needed - listed)]
        found += [f"{file}: {stage}: {key}: drop {name}" for name in sorted(listed - needed)]
    return found


def _is_code(dep: str) -> bool:
    return dep.startswith(("stages/", f"{LIBRARY}/"))


def rewrite(root: Path, file: str) -> str:
    """Return the text of a file of the graph with the code under `deps`, and `params`, of each stage as they should be.

    Comments and all else stay as they are.
    """
    yaml = YAML()
    yaml.width = _WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    graph = yaml.load((root / file).read_text(encoding="utf-8"))
    for stage, entry in graph["stages"].items():
        if (root / f"stages/{stage}.py").is_file():
            data = [dep for dep in entry["deps"] if not _is_code(dep)]
            entry["deps"] = _on_one_line([*data, *stage_code(stage)])
            entry["params"] = _on_one_line(stage_params(root, stage))
            entry["outs"] = _on_one_line(entry["outs"])
    text = io.StringIO()
    yaml.dump(graph, text)
    return re.sub(r" +$", "", text.getvalue(), flags=re.MULTILINE)


def _on_one_line(values: list[str]) -> CommentedSeq:
    sequence = CommentedSeq(values)
    sequence.fa.set_flow_style()
    return sequence


def main() -> None:
    root = Path.cwd()
    for file in load_files(root):
        text = rewrite(root, file)
        with atomic_path(root / file) as path:
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
