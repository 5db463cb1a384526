"""Load pretrained models with transformers: from a folder, or by name where the hub is allowed."""

from collections.abc import Callable
from typing import TypeVar

Loaded = TypeVar("Loaded")


def load_pretrained(load: Callable[..., Loaded], source: str, key: str, hub: bool, switch: str = "audio.hub") -> Loaded:
    """Call `load` on `source`, without downloading unless `hub` is true.

    Args:
        load: a `from_pretrained` of transformers.
        source: a folder or a hub name; without `hub`, a name is looked up in the local cache only.
        key: the parameter that holds `source`, for error messages.
        switch: the parameter that holds `hub`, for error messages.

    Raises:
        ValueError: `source` holds no usable model.
    """
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        return load(source, local_files_only=not hub)
    except (OSError, ValueError, KeyError) as error:
        hint = "name a folder that holds the model" if hub else f"name a folder, or set {switch}: true to download it"
        first = str(error).strip().splitlines()[0]
        raise ValueError(f"{key}: {source!r} holds no usable model ({first}); {hint}") from error
