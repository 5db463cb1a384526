"""Large libraries (torch, diffusers, prefect) are imported where they are needed, and not slower than need be."""

import gc
import importlib
from types import ModuleType


def import_large(name: str) -> ModuleType:
    """A module whose own imports make so many objects that collecting garbage meanwhile takes a tenth of the time, and
    again when the process ends. Frozen, they are not looked at again."""
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.enable()
        gc.freeze()
