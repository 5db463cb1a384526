"""The ledger of clips and the verdict on each: parquet tables with fixed columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cospeech.harness.files import atomic_path

LEDGER_COLUMNS = {
    "clip": "str",
    "uri": "str",
    "speaker": "str",
    "licence": "str",
    "consent": "str",
    "split": "str",
    "status": "str",
    "reason": "str",
    "sha256": "str",
    "width": "Int64",
    "height": "Int64",
    "fps": "Float64",
    "seconds": "Float64",
    "crop_x": "Int64",
    "crop_y": "Int64",
    "crop_size": "Int64",
    "frames": "Int64",
    "samples": "Int64",
    "ffmpeg": "str",
}
CURATED_COLUMNS = {**LEDGER_COLUMNS, "kept": "bool", "reasons": "str", "av_offset": "Float64"}


def save_table(path: Path, table: pd.DataFrame, columns: Mapping[str, str]) -> None:
    """Save with the given columns first, in order and type; further columns follow by name."""
    missing = [name for name in columns if name not in table.columns]
    assert not missing, missing
    extra = sorted(set(table.columns) - set(columns))
    ordered = table[[*columns, *extra]].astype(dict(columns)).reset_index(drop=True)
    with atomic_path(path) as temporary:
        ordered.to_parquet(temporary, index=False)


def load_table(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """Raises ValueError if the file is absent, damaged or lacks a column."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file; run the stage that writes it (dvc repro)")
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: damaged ({error}); delete it and run dvc repro") from error
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise ValueError(f"{path}: columns {missing} are missing; it was written by another version, run dvc repro")
    return table.astype(dict(columns))


@dataclass(frozen=True)
class Ledger:
    """A row per manifest row, in its order. `status` is ok or refused; refused rows have a `reason`."""

    table: pd.DataFrame

    @property
    def usable(self) -> list[str]:
        """Ids of the clips that ingest produced."""
        return self.table.loc[self.table["status"] == "ok", "clip"].tolist()

    def save(self, path: Path) -> None:
        save_table(path, self.table, LEDGER_COLUMNS)

    @classmethod
    def load(cls, path: Path) -> "Ledger":
        return cls(load_table(path, LEDGER_COLUMNS))


@dataclass(frozen=True)
class Curated:
    """The ledger with a verdict: `kept`, `split` (train or test where kept), `reasons` (JSON list of sentences),
    a column per score and a `NAME_threshold` column per threshold, `av_offset` in frames (audio late: positive)."""

    table: pd.DataFrame

    def clips(self, split: str) -> list[str]:
        """Ids of the kept clips of `split` (train or test), in manifest order."""
        rows = self.table[self.table["kept"] & (self.table["split"] == split)]
        return rows["clip"].tolist()

    def speaker(self, clip: str) -> str:
        return str(self.table.loc[self.table["clip"] == clip, "speaker"].iloc[0])

    def seen_speakers(self) -> set[str]:
        """Speakers of the kept training clips."""
        rows = self.table[self.table["kept"] & (self.table["split"] == "train")]
        return set(rows["speaker"])

    def save(self, path: Path) -> None:
        save_table(path, self.table, CURATED_COLUMNS)

    @classmethod
    def load(cls, path: Path) -> "Curated":
        return cls(load_table(path, CURATED_COLUMNS))
