"""Extras of pyproject.toml: packages that not every run needs."""

from importlib.util import find_spec


def require_extra(extra: str, what: str, *packages: str) -> None:
    """Check that the packages of an extra are there, before they are imported.

    what: that needs them, as people write it, such as "compute.cluster: ray:auto".

    Raises:
        ValueError: one is not installed.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ValueError(f"{what} needs {', '.join(missing)}, not installed here; run: make extra NAME={extra}")
