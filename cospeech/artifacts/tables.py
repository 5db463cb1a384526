"""The ledger of clips and the curation verdicts: parquet tables with fixed columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cospeech.harness.files import atomic_path

if TYPE_CHECKING:  # who only speaks from an export has no pandas
    import pandas as pd

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
    "notes": "str",
    "ffmpeg": "str",
}
CURATED_COLUMNS = {**LEDGER_COLUMNS, "kept": "bool", "reasons": "str", "av_offset": "Float64"}


def save_table(path: Path, table: "pd.DataFrame", columns: Mapping[str, str]) -> None:
    """Save a table with the given columns (name -> type) first and in order; other columns follow, sorted by name."""
    missing = [name for name in columns if name not in table.columns]
    assert not missing, missing
    extra = sorted(set(table.columns) - set(columns))
    ordered = table[[*columns, *extra]].astype(dict(columns)).reset_index(drop=True)
    with atomic_path(path) as temporary:
        ordered.to_parquet(temporary, index=False)


def load_table(path: Path, columns: Mapping[str, str]) -> "pd.DataFrame":
    """Load a table and check its columns (name -> type).

    Raises:
        ValueError: the file is absent or damaged, or lacks a column.
    """
    import pandas as pd

    if not path.is_file():
        raise ValueError(f"{path}: no such file; run the stage that writes it (dvc repro)")
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: damaged ({error}); delete it and run dvc repro") from error
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise ValueError(f"{path}: columns {missing} are missing; another version wrote it, run dvc repro")
    return table.astype(dict(columns))


@dataclass(frozen=True)
class Ledger:
    """One row per manifest row, in manifest order. `status` is ok or refused; refused rows have a `reason`."""

    table: "pd.DataFrame"

    @property
    def usable(self) -> list[str]:
        """Ids of the clips that ingest accepted."""
        return self.table.loc[self.table["status"] == "ok", "clip"].tolist()

    def save(self, path: Path) -> None:
        save_table(path, self.table, LEDGER_COLUMNS)

    @classmethod
    def load(cls, path: Path) -> "Ledger":
        return cls(load_table(path, LEDGER_COLUMNS))


@dataclass(frozen=True)
class Curated:
    """The ledger with the verdict on each clip.

    Added columns: `kept`; `split` (train or test, if kept); `reasons` (JSON list of sentences); one per score;
    `NAME_threshold` per threshold; `av_offset` in frames (positive: the audio is late).
    """

    table: "pd.DataFrame"

    def clips(self, split: str) -> list[str]:
        """Return the ids of the kept clips of `split` (train or test), in manifest order."""
        rows = self.table[self.table["kept"] & (self.table["split"] == split)]
        return rows["clip"].tolist()

    def speaker(self, clip: str) -> str:
        """Return the speaker of a clip."""
        return str(self.table.loc[self.table["clip"] == clip, "speaker"].iloc[0])

    def seen_speakers(self) -> set[str]:
        """Return the speakers of the kept training clips."""
        rows = self.table[self.table["kept"] & (self.table["split"] == "train")]
        return set(rows["speaker"])

    def save(self, path: Path) -> None:
        save_table(path, self.table, CURATED_COLUMNS)

    @classmethod
    def load(cls, path: Path) -> "Curated":
        return cls(load_table(path, CURATED_COLUMNS))
