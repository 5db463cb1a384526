"""Loading pretrained speech models through transformers: from a folder, or by name where the hub is allowed."""

from collections.abc import Callable
from typing import Any


def load_pretrained(load: Callable[..., Any], source: str, key: str, hub: bool, switch: str = "audio.hub") -> Any:
    """`load` is a from_pretrained of transformers; `key` names the parameter for the error, `switch` that of `hub`.

    Nothing is fetched unless `hub`; a name is then looked for in the local cache only.

    Raises:
        ValueError: nothing usable at `source`.
    """
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        return load(source, local_files_only=not hub)
    except (OSError, ValueError, KeyError) as error:
        hint = "give a folder that holds the model" if hub else f"give a folder, or let {switch} be true to fetch it"
        first = str(error).strip().splitlines()[0]
        raise ValueError(f"{key}: {source!r} holds no usable model ({first}); {hint}") from error
