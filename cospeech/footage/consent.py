"""Consent taken back: a table that ingest reads before it touches a source."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from cospeech.harness.files import atomic_path


@dataclass(frozen=True)
class Revocation:
    """clip, uri: as the ledger had them. sha256: of the source, empty where it was never read. day: ISO date."""

    clip: str
    uri: str
    sha256: str
    day: str
    reason: str

    @property
    def sentence(self) -> str:
        return f"consent: revoked on {self.day}" + (f" ({self.reason})" if self.reason else "")


COLUMNS = tuple(field.name for field in fields(Revocation))


def load_revocations(path: Path) -> list[Revocation]:
    """None where the file is absent.

    Raises:
        ValueError: the file is not such a table: consent is never guessed.
    """
    if not path.is_file():
        return []
    reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")), strict=True)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise ValueError(f"{path}: columns {reader.fieldnames}; they must be {','.join(COLUMNS)}")
    rows = list(reader)
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values() or not (row["uri"] or row["sha256"]):
            raise ValueError(f"{path}, line {number}: not a whole row; it needs uri or sha256")
    return [Revocation(**row) for row in rows]


def save_revocations(path: Path, revocations: Sequence[Revocation]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(each) for each in revocations)
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def revoked(revocations: Sequence[Revocation], uri: str, sha256: str = "") -> Revocation | None:
    """The revocation that covers this source: the same bytes under any name, or the same uri."""
    found = (each for each in revocations if each.uri == uri or (sha256 and each.sha256 == sha256))
    return next(found, None)
