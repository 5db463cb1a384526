"""Import large libraries (torch, diffusers, prefect) without garbage collection."""

import gc
import importlib
from types import ModuleType


def import_large(name: str) -> ModuleType:
    """Import a module without garbage collection, and freeze its objects so that no later collection visits them.

    Saves a third of the processor time of importing a stage and ending (docs/benchmarks/house.md)."""
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.enable()
        gc.freeze()
