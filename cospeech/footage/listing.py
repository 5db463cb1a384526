"""Write a manifest for a folder of videos; licence and consent, which only a person knows, are set to `unknown`."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from cospeech.footage.manifest import MANIFEST_NAME, REQUIRED, ManifestError, parse_manifest
from cospeech.harness.files import atomic_path

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mts", ".m2ts", ".mpg", ".mpeg"})
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Listing:
    """A written manifest. path: of the manifest. added: uris of new rows. kept: number of rows that it had before."""

    path: Path
    added: list[str]
    kept: int


def list_footage(folder: Path) -> Listing:
    """Write FOLDER/manifest.csv, or add the videos that it lacks; existing rows stay as they are.

    The speaker of a new row is the name of the folder that holds the video, or the file's name directly in FOLDER.

    Raises:
        ValueError: there is no such folder, it holds no video, or its manifest is invalid.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder")
    path = folder / MANIFEST_NAME
    text = path.read_text(encoding="utf-8-sig") if path.is_file() else ",".join(REQUIRED) + "\n"
    named = {(folder / row.uri).resolve() for row in parse_manifest(text, str(path))} if path.is_file() else set()
    videos = find_videos(folder)
    if not videos:
        raise ValueError(f"{folder}: it holds no video ({', '.join(sorted(VIDEO_SUFFIXES))})")
    added = [video for video in videos if video.resolve() not in named]
    if added:
        _write(path, text, [_row(video.relative_to(folder)) for video in added])
    return Listing(path, [video.relative_to(folder).as_posix() for video in added], len(named))


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
    return {"uri": video.as_posix(), "speaker": speaker, "licence": UNKNOWN, "consent": UNKNOWN}


def _write(path: Path, text: str, rows: list[dict[str, str]]) -> None:
    header = next(csv.reader(io.StringIO(text)), None)
    if header is None:
        raise ManifestError(f"{path}: the file is empty; delete it, or add the header {','.join(REQUIRED)}")
    more = io.StringIO(newline="")
    writer = csv.DictWriter(more, [column.strip() for column in header], restval="", lineterminator="\n")
    writer.writerows(rows)
    with atomic_path(path) as temporary:
        temporary.write_text(text.rstrip("\r\n") + "\n" + more.getvalue(), encoding="utf-8")
