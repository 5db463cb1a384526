"""Copy new footage from an inbox (a folder or S3) into the project's source folder."""

import csv
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cospeech.footage.manifest import MANIFEST_NAME, OPTIONAL, REQUIRED, ManifestRow, parse_manifest
from cospeech.footage.storage import Storage, StorageError
from cospeech.harness.files import atomic_path

COLUMNS = (*REQUIRED, *OPTIONAL)


@dataclass(frozen=True)
class PullResult:
    """uris of the inbox's rows. new: copied. known: already there. failed: not copied -> reason."""

    new: list[str]
    known: list[str]
    failed: dict[str, str]

    @property
    def sentence(self) -> str:
        failed = "".join(f"; {uri}: {reason}" for uri, reason in self.failed.items())
        return f"{len(self.new)} new videos, {len(self.known)} known, {len(self.failed)} failed{failed}"


def pull(inbox: str, folder: Path, storage: Storage) -> PullResult:
    """Copy the videos that the inbox's manifest lists and FOLDER/manifest.csv does not.

    A row is added after its video is copied, so the next pull continues an interrupted one. A video that cannot be
    copied is reported, and the next pull tries it again.

    Args:
        inbox: a folder or s3:// address with manifest.csv, or the address of a manifest (*.csv).

    Raises:
        ManifestError, StorageError: one of the manifests cannot be read.
    """
    source = inbox.rpartition("/")[0] or "." if inbox.endswith(".csv") else inbox
    name = inbox if inbox.endswith(".csv") else storage.join(inbox, MANIFEST_NAME)
    offered = parse_manifest(storage.read_text(name), name)
    own = folder / MANIFEST_NAME
    rows = parse_manifest(own.read_text(encoding="utf-8-sig"), str(own)) if own.is_file() else []
    present = {row.uri for row in rows}
    pulled = PullResult([], [], {})
    for row in offered:
        local = _local_name(row.uri)
        if local in present:
            pulled.known.append(row.uri)
            continue
        try:
            copied = _copy(row, local, source, folder, storage)
        except StorageError as error:
            pulled.failed[row.uri] = str(error)
            continue
        rows.append(copied)
        present.add(local)
        _write(own, rows)
        pulled.new.append(row.uri)
    return pulled


def _local_name(uri: str) -> str:
    """Return a relative path that stays inside the folder, whatever path the inbox uses."""
    parts = [part for part in PurePosixPath(uri.removeprefix("s3://")).parts if part not in ("/", "..", ".")]
    return "/".join(parts)


def _copy(row: ManifestRow, local: str, source: str, folder: Path, storage: Storage) -> ManifestRow:
    alignment = _local_name(row.alignment) if row.alignment else None
    for remote, target in ((row.alignment, alignment), (row.uri, local)):
        if remote and target:
            with storage.fetch(storage.join(source, remote)) as path, atomic_path(folder / target) as temporary:
                shutil.copyfile(path, temporary)
    return ManifestRow(row.line, local, row.speaker, row.licence, row.consent, row.split, row.transcript, alignment)


def _write(path: Path, rows: Sequence[ManifestRow]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: getattr(row, name) or "" for name in COLUMNS} for row in rows)
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
