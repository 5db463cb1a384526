"""An unfinished training run on disk, outside the DVC outputs, so that a killed run goes on where it was."""

import logging
import shutil
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cospeech.artifacts.tensors import load_arrays, save_arrays
from cospeech.harness.files import file_digest, value_digest
from cospeech.utils.json_types import JSONValue

_log = logging.getLogger("cospeech.training")


def run_digest(stage: str, params: Mapping[str, JSONValue], inputs: Iterable[Path]) -> str:
    """The name of a run: a hash of its params and of all files it reads (folders: the files in them)."""
    files = sorted(
        file for path in inputs for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()
    )
    return value_digest([stage, dict(params), [[file.name, file_digest(file)] for file in files]])


@dataclass
class Checkpoint:
    """`folder` belongs to one run (its name is the run's digest). The clock decides when to save, never what."""

    folder: Path
    every_seconds: float = 30.0
    _saved_at: float = field(default_factory=time.monotonic)

    @property
    def path(self) -> Path:
        return self.folder / "checkpoint.safetensors"

    def due(self) -> bool:
        return time.monotonic() - self._saved_at >= self.every_seconds

    def save(self, step: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep the state after `step` steps; one file, replaced whole."""
        save_arrays(self.path, "checkpoint", 1, arrays, {"step": str(step)})
        self._saved_at = time.monotonic()

    def load(self) -> tuple[int, dict[str, np.ndarray]] | None:
        """(steps done, arrays), or None where nothing usable was kept."""
        if not self.path.is_file():
            return None
        try:
            arrays, metadata = load_arrays(self.path, "checkpoint", 1)
        except ValueError as error:
            _log.warning("checkpoint not used, training starts anew: %s", error)
            return None
        return int(metadata["step"]), arrays

    def remove(self) -> None:
        """The run is complete."""
        shutil.rmtree(self.folder, ignore_errors=True)
