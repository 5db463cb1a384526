"""The clip store: a content-addressed cache of per-clip results. One new clip among many costs one extraction.

The store lies outside the outputs that DVC deletes before a stage runs. An entry is a folder named by the hash of its
inputs (clip content, params, code). It is written atomically and verified when read; a damaged entry counts as absent.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cospeech.harness.files import atomic_path, file_digest, read_json, value_digest, write_json


@dataclass(frozen=True)
class ClipStore:
    """Results of one stage, for one set of params and one version of its code.

    salt: digest over params and code, such as `value_digest({"params": ..., "code": code_digest(...)})`.
    """

    root: Path
    stage: str
    salt: str

    def key(self, *digests: str) -> str:
        """Return the key of the clip whose inputs have these digests."""
        return value_digest([self.stage, self.salt, *digests])

    def entry(self, key: str) -> Path:
        """Return the folder that holds the files of `key`."""
        return self.root / self.stage / key[:2] / key

    def fetch(self, key: str, targets: Mapping[str, Path]) -> bool:
        """Copy the stored files to `targets` (name -> path).

        Return False if the entry is absent, incomplete or damaged.
        """
        entry = self.entry(key)
        index = entry / "index.json"
        if not index.is_file():
            return False
        digests = read_json(index)
        if set(digests) != set(targets):
            return False
        for name, target in targets.items():
            stored = entry / name
            if not stored.is_file() or file_digest(stored) != digests[name]:
                return False
            with atomic_path(target) as path:
                shutil.copyfile(stored, path)
        return True

    def put(self, key: str, files: Mapping[str, Path]) -> None:
        """Store copies of `files` (name -> path) under `key`."""
        with atomic_path(self.entry(key)) as folder:
            folder.mkdir()
            for name, source in files.items():
                shutil.copyfile(source, folder / name)
            write_json(folder / "index.json", {name: file_digest(folder / name) for name in files})

    def record(self, reused: Mapping[str, bool]) -> None:
        """Record which clips of this run were reused; `cospeech ledger` shows it."""
        import pandas as pd

        frame = pd.DataFrame({"clip": list(reused), "reused": list(reused.values())})
        with atomic_path(record_path(self.root, self.stage)) as path:
            frame.to_parquet(path, index=False)


def record_path(store: Path, stage: str) -> Path:
    """Return the table that says which clips the stage's last run reused."""
    return store / "records" / f"{stage}.parquet"
