"""Write a manifest for a folder of videos; licence and consent, which only a person knows, are set to `unknown`."""

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path

from cospeech.footage.manifest import MANIFEST_NAME, REQUIRED, ManifestError, parse_manifest
from cospeech.footage.storage import Storage
from cospeech.harness.files import atomic_path

VIDEO_SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("mp4", "mov", "m4v", "mkv", "webm", "avi", "ts", "mts", "m2ts", "mpg", "mpeg", "vob"),
        *("flv", "wmv", "asf", "3gp", "3g2", "ogv", "mxf"),
    )
)
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Listing:
    """A written manifest.

    path: of the manifest. added: uris of new rows. kept: number of rows that it had before. skipped: names that are not
    UTF-8, which no manifest can hold, as bytes literals.
    """

    path: Path
    added: list[str]
    kept: int
    skipped: list[str]


def list_footage(folder: Path) -> Listing:
    """Write FOLDER/manifest.csv, or add the videos that it lacks; existing rows stay as they are.

    The speaker of a new row is the name of the folder that holds the video, or the file's name directly in FOLDER.

    Raises:
        ValueError: there is no such folder, it holds no video, or its manifest is invalid.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    path = folder / MANIFEST_NAME
    text = Storage(None).read_text(str(path)).removeprefix("\ufeff") if path.is_file() else ",".join(REQUIRED) + "\n"
    named = {(folder / row.uri).resolve() for row in parse_manifest(text, str(path))} if path.is_file() else set()
    videos = find_videos(folder)
    if not videos:
        raise ValueError(f"{folder}: it holds no video ({', '.join(sorted(VIDEO_SUFFIXES))})")
    names = {video: video.relative_to(folder).as_posix() for video in videos if video.resolve() not in named}
    added = [_row(Path(name)) for name in names.values() if _is_text(name)]
    if added:
        _write(path, text, added)
    skipped = [ascii(os.fsencode(name)) for name in names.values() if not _is_text(name)]
    return Listing(path, [row["uri"] for row in added], len(named), skipped)


def _is_text(name: str) -> bool:
    return name.encode(errors="replace").decode() == name


def find_videos(folder: Path) -> list[Path]:
    """Return all videos under `folder` by suffix, sorted, without hidden files and folders."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in VIDEO_SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _row(video: Path) -> dict[str, str]:
    speaker = video.parent.name or video.stem
    uri = video.as_posix()
    if uri != uri.strip():
        uri = f"./{uri}"  # space around a field does not count
    return {"uri": uri, "speaker": speaker.strip() or UNKNOWN, "licence": UNKNOWN, "consent": UNKNOWN}


def _write(path: Path, text: str, rows: list[dict[str, str]]) -> None:
    header = next(csv.reader(io.StringIO(text)), None)
    if header is None:
        raise ManifestError(f"{path}: the file is empty; delete it, or add the header {','.join(REQUIRED)}")
    more = io.StringIO(newline="")
    writer = csv.DictWriter(more, [column.strip() for column in header], restval="", lineterminator="\n")
    writer.writerows(rows)
    with atomic_path(path) as temporary:
        temporary.write_text(text.rstrip("\r\n") + "\n" + more.getvalue(), encoding="utf-8")
