"""Copy new footage from an inbox (a folder or S3) into the project's source folder.

Who fills the inbox is not trusted: only videos and .json alignments are copied, only from inside the inbox or from S3,
and no existing file is overwritten.
"""

import csv
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cospeech.footage.listing import VIDEO_SUFFIXES
from cospeech.footage.manifest import MANIFEST_NAME, OPTIONAL, REQUIRED, ManifestRow, parse_manifest
from cospeech.footage.storage import Storage, StorageError, is_remote
from cospeech.harness.files import atomic_path, file_digest

COLUMNS = (*REQUIRED, *OPTIONAL)


@dataclass(frozen=True)
class PullResult:
    """uris of the inbox's rows. new: copied. known: already there. failed: not copied -> reason."""

    new: list[str]
    known: list[str]
    failed: dict[str, str]

    @property
    def sentence(self) -> str:
        """A summary in one line."""
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
    rows = parse_manifest(Storage(None).read_text(str(own)), str(own)) if own.is_file() else []
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
    """Copy the files of a row; return the row with their local names.

    Raises:
        StorageError: a file has a wrong suffix, lies outside of the inbox, is absent, or would replace another file.
    """
    alignment = _local_name(row.alignment) if row.alignment else None
    _check_kind("video", row.uri, VIDEO_SUFFIXES)
    if row.alignment:
        _check_kind("alignment", row.alignment, frozenset({".json"}))
    for remote, target in ((row.alignment, alignment), (row.uri, local)):
        if remote and target:
            with storage.fetch(_inside(remote, source, storage)) as path:
                _copy_file(path, folder / target)
    return ManifestRow(row.line, local, row.speaker, row.licence, row.consent, row.split, row.transcript, alignment)


def _check_kind(what: str, uri: str, suffixes: frozenset[str]) -> None:
    if PurePosixPath(uri).suffix.lower() not in suffixes:
        raise StorageError(f"{uri}: not copied as {what}: its name must end in {', '.join(sorted(suffixes))}")


def _inside(uri: str, source: str, storage: Storage) -> str:
    """Return where `uri` of the inbox `source` lies: on S3, or in the inbox itself, links followed."""
    place = storage.join(source, uri)
    if is_remote(place):
        return place
    path = (Path(source).expanduser() / uri).resolve()
    if Path(uri).is_absolute() or not path.is_relative_to(Path(source).expanduser().resolve()):
        raise StorageError(f"{uri}: lies outside of the inbox {source}; put the file into it")
    return str(path)


def _copy_file(path: Path, target: Path) -> None:
    if target.exists():
        if target.is_file() and file_digest(target) == file_digest(path):
            return  # a pull was interrupted, or rows share the file
        raise StorageError(f"{target}: another file of that name is here already; rename the one in the inbox")
    with atomic_path(target) as temporary:
        shutil.copyfile(path, temporary)


def _write(path: Path, rows: Sequence[ManifestRow]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: getattr(row, name) or "" for name in COLUMNS} for row in rows)
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
