"""Write pages from the code when the site is built: parameters, command line, rooms. A hook of mkdocs.yml."""

import ast
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cospeech.cli import build_parser
from cospeech.config import Params

ROOT = Path(__file__).resolve().parent.parent
SIGNS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤", "multiple_of": "a multiple of", "min_length": "at least, items:"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to those that stand in docs/."""
    pages = {
        "reference/params.md": parameters(),
        "reference/command-line.md": command_line(),
        "reference/rooms.md": rooms(),
    }
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def parameters() -> str:
    """Describe every key of params.yaml: type and bounds as cospeech/config checks them, and two files' values."""
    given = [yaml.safe_load((ROOT / name).read_text(encoding="utf-8")) for name in ("params.yaml", "params/paper.yaml")]
    text = "# params.yaml\n\nEvery key must be there and no other. Written from cospeech/config.\n"
    for name, field in Params.model_fields.items():
        model = section_of(field.annotation)
        if model is None:
            rows = [(name, field, [values[name] for values in given])]
        else:
            rows = list(keys(model, "", [values[name] for values in given]))
        about = (model.__doc__ or "").strip() if model else ""
        text += f"\n## {name}\n\n{about}\n\n| key | type | what | params.yaml | paper.yaml |\n|---|---|---|---|---|\n"
        for key, found, values in rows:
            cells = [f"`{key}`", kind(found), cell(found.description or ""), *(value_cell(each) for each in values)]
            text += "| " + " | ".join(cells) + " |\n"
    return text


def keys(model: type[BaseModel], prefix: str, values: list[Any]) -> Iterator[tuple[str, FieldInfo, list[Any]]]:
    """List the keys of a section, those of sections in it with dots."""
    for name, field in model.model_fields.items():
        inner = [value[name] if isinstance(value, Mapping) else None for value in values]
        nested = section_of(field.annotation)
        if nested is None:
            yield prefix + name, field, inner
        else:
            yield from keys(nested, f"{prefix}{name}.", inner)


def section_of(annotation: Any) -> type[BaseModel] | None:
    choices = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    found = [each for each in choices if isinstance(each, type) and issubclass(each, BaseModel)]
    return found[0] if found else None


def kind(field: FieldInfo) -> str:
    """Name type and bounds in words."""
    bounds = [
        f"{sign} {getattr(each, name)}"
        for each in field.metadata
        for name, sign in SIGNS.items()
        if getattr(each, name, None) is not None
    ]
    return cell(", ".join([type_name(field.annotation), *bounds]))


def type_name(annotation: Any) -> str:
    if annotation is type(None):
        return "null"
    if get_origin(annotation) is Literal:
        return ", ".join(str(each) for each in get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(type_name(each) for each in get_args(annotation))
    if get_args(annotation):
        inner = dict.fromkeys(type_name(each) for each in get_args(annotation) if each is not ...)
        return f"{get_origin(annotation).__name__} of {', '.join(inner)}"
    return {"str": "text", "Path": "path", "float": "number", "int": "whole number"}.get(
        annotation.__name__, annotation.__name__
    )


def value_cell(value: object) -> str:
    return f"`{yaml.safe_dump(value, default_flow_style=True).removesuffix('...' + os.linesep).strip()}`"


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def command_line() -> str:
    """Print the help of `cospeech` and of its commands, and what `make` does."""
    os.environ["COLUMNS"] = "100"  # argparse wraps by it
    parser = build_parser()
    (commands,) = (action.choices for action in parser._actions if isinstance(action.choices, Mapping))
    text = f"# Command line\n\n```text\n{parser.format_help()}```\n"
    for name, command in commands.items():
        text += f"\n## cospeech {name}\n\n```text\n{command.format_help()}```\n"
    targets = re.findall(r"^([a-z-]+):.*## (.*)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    rows = "".join(f"| `make {name}` | {cell(about)} |\n" for name, about in targets)
    return f"{text}\n## make\n\n| | |\n|---|---|\n{rows}"


def rooms() -> str:
    """List the folders of cospeech/ with their docstrings, in the layers that import-linter holds."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (layers,) = (each["layers"] for each in settings["contracts"] if each.get("containers") == ["cospeech"])
    text = "# Rooms of the library\n\nA room may import what stands in a row below its own.\n\n| room | |\n|---|---|\n"
    for layer in layers:
        for room in layer.split(" | "):
            module = ast.parse((ROOT / f"cospeech/{room}/__init__.py").read_text(encoding="utf-8"))
            first = (ast.get_docstring(module) or "").partition("\n\n")[0].replace("\n", " ")
            text += f"| `cospeech.{room}` | {cell(first)} |\n"
    return text
