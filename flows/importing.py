"""Prefect is imported where a flow run begins, and not slower than need be."""

import gc


def import_prefect() -> None:
    """Its modules make so many objects that collecting garbage meanwhile, and again when the process ends, takes half a
    second. Frozen, they are not looked at again."""
    gc.disable()
    try:
        import prefect.flow_engine  # noqa: F401
    finally:
        gc.enable()
    gc.freeze()
