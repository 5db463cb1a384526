"""Check for the extras of pyproject.toml: packages that not every run needs."""

from importlib.util import find_spec


def require_extra(extra: str, what: str, *packages: str) -> None:
    """Check that the packages of an extra are installed, before they are imported.

    Args:
        what: the setting that needs them, for the error, such as "compute.cluster: ray:auto".

    Raises:
        ValueError: a package is not installed.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ValueError(f"{what} needs {', '.join(missing)}, which is not installed; run: make extra NAME={extra}")
