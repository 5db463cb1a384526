"""Save and load named arrays with metadata in one safetensors file that carries a format name and a version."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from cospeech.harness.files import atomic_path


def save_arrays(
    path: Path, kind: str, version: int, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """Save arrays by name. kind, version: of the file format. Equal input gives equal bytes."""
    # one header entry: safetensors writes several in an order that changes from run to run
    header = {"cospeech": json.dumps({"kind": kind, "version": version, **(metadata or {})}, sort_keys=True)}
    with atomic_path(path) as temporary:
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, temporary, header)


def load_arrays(path: Path, kind: str, version: int) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Load (arrays, metadata), checking the format.

    Raises:
        ValueError: the file is absent or damaged, or of another kind or version.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file; run the stage that writes it (dvc repro)")
    try:
        with safe_open(path, framework="numpy") as stream:
            metadata = json.loads((stream.metadata() or {}).get("cospeech", "{}"))
            found = (metadata.pop("kind", "unknown"), metadata.pop("version", "unknown"))
            if found != (kind, version):
                raise ValueError(f"{path}: {found[0]} version {found[1]}, expected {kind} version {version}")
            return {name: stream.get_tensor(name) for name in stream.keys()}, metadata  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path}: damaged ({error}); delete it and run dvc repro") from error
