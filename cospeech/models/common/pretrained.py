"""Starting from models that somebody else trained."""

from collections.abc import Mapping
from pathlib import Path

from cospeech.utils.json_types import JSONValue


def require_config(section: str, folder: Path, found: Mapping[str, JSONValue], wanted: Mapping[str, JSONValue]) -> None:
    """Whether a pretrained model has the shape that params ask for; names that begin with _ are diffusers' own.

    Raises:
        ValueError: it does not; every value that differs is named.
    """
    wrong = {
        name: (found.get(name), value)
        for name, value in wanted.items()
        if not name.startswith("_") and found.get(name) != value
    }
    if wrong:
        named = ", ".join(f"{name} {there} where params say {here}" for name, (there, here) in wrong.items())
        raise ValueError(f"{section}.pretrained={folder} does not fit: {named}")
