"""New footage from an inbox (a folder or S3) into the project's own source folder: whole files, rows once."""

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
class Pulled:
    """uris of the inbox's rows: brought, there already, and not brought with the reason."""

    new: list[str]
    known: list[str]
    failed: dict[str, str]

    @property
    def sentence(self) -> str:
        lost = "".join(f"; {uri}: {reason}" for uri, reason in self.failed.items())
        return f"{len(self.new)} new videos, {len(self.known)} known, {len(self.failed)} not brought{lost}"


def pull(inbox: str, folder: Path, storage: Storage) -> Pulled:
    """Bring what INBOX/manifest.csv (or the manifest that `inbox` names) lists and FOLDER/manifest.csv does not.

    A video is there before its row is, so an interrupted pull is continued by the next one. A video that cannot be
    fetched is told, and tried again by the next pull.

    Raises:
        ManifestError, StorageError: one of the manifests cannot be read.
    """
    source = inbox.rpartition("/")[0] or "." if inbox.endswith(".csv") else inbox
    name = inbox if inbox.endswith(".csv") else storage.join(inbox, MANIFEST_NAME)
    offered = parse_manifest(storage.read_text(name), name)
    own = folder / MANIFEST_NAME
    rows = parse_manifest(own.read_text(encoding="utf-8-sig"), str(own)) if own.is_file() else []
    there = {row.uri for row in rows}
    pulled = Pulled([], [], {})
    for row in offered:
        local = _local_name(row.uri)
        if local in there:
            pulled.known.append(row.uri)
            continue
        try:
            brought = _bring(row, local, source, folder, storage)
        except StorageError as error:
            pulled.failed[row.uri] = str(error)
            continue
        rows.append(brought)
        there.add(local)
        _write(own, rows)
        pulled.new.append(row.uri)
    return pulled


def _local_name(uri: str) -> str:
    """Below the folder, whatever the inbox calls it: no absolute path, no climbing out."""
    parts = [part for part in PurePosixPath(uri.removeprefix("s3://")).parts if part not in ("/", "..", ".")]
    return "/".join(parts)


def _bring(row: ManifestRow, local: str, source: str, folder: Path, storage: Storage) -> ManifestRow:
    alignment = _local_name(row.alignment) if row.alignment else None
    for remote, target in ((row.alignment, alignment), (row.uri, local)):
        if remote and target:
            with storage.fetched(storage.join(source, remote)) as path, atomic_path(folder / target) as temporary:
                shutil.copyfile(path, temporary)
    return ManifestRow(row.line, local, row.speaker, row.licence, row.consent, row.split, row.transcript, alignment)


def _write(path: Path, rows: Sequence[ManifestRow]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: getattr(row, name) or "" for name in COLUMNS} for row in rows)
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
