"""Load a pretrained part of Wan, or say which parameter to mend."""

from collections.abc import Callable
from typing import Literal, TypeVar

from cospeech.families.wan.config import WanSettings

Loaded = TypeVar("Loaded")


def fetch(settings: WanSettings, name: Literal["teacher", "student"], load: Callable[[], Loaded]) -> Loaded:
    """Call `load`, which reads the source that `wan.{name}` names.

    Raises:
        ValueError: nothing usable there.
    """
    try:
        return load()
    except (OSError, ValueError) as error:
        hint = "give a folder of a diffusers pipeline" + ("" if settings.hub else ", or let wan.hub be true")
        first = str(error).strip().splitlines()[0]
        source = getattr(settings, name)
        raise ValueError(f"wan.{name}: {source!r} holds no usable model ({first}); {hint}") from error
