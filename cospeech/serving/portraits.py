"""Load the portraits that visitors choose from: pictures in a folder, and one frame per speaker of a manifest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cospeech.footage.consent import Revocation, consent_reasons, find_revocation
from cospeech.footage.manifest import MANIFEST_NAME, ManifestRow, parse_manifest
from cospeech.footage.storage import Storage
from cospeech.harness.files import file_digest
from cospeech.inference.errors import InputError
from cospeech.media import sample_frames

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class Portrait:
    """A person to choose. picture: bytes of a picture file."""

    name: str
    picture: bytes


def load_portraits(folder: Path, revocations: Sequence[Revocation]) -> list[Portrait]:
    """Load the portraits of a folder, sorted by name, without those whose consent is missing or revoked.

    A speaker is shown by the first frame of the first clip whose consent and licence are accepted.

    Raises:
        InputError: there is no such folder, or it holds no portrait.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; --people needs one with pictures or clips")
    listed = folder / MANIFEST_NAME
    rows = parse_manifest(Storage(None).read_text(str(listed)), str(listed)) if listed.is_file() else []
    people = [*_pictures(folder, rows, revocations), *_speakers(folder, rows, revocations)]
    if not people:
        raise InputError(
            f"{folder}: no portrait in it; add pictures ({', '.join(SUFFIXES)}), or clips with a {MANIFEST_NAME} that "
            "states consent and licence"
        )
    return sorted(people, key=lambda person: person.name)


def _pictures(folder: Path, rows: Sequence[ManifestRow], revocations: Sequence[Revocation]) -> Iterator[Portrait]:
    denied = {folder / row.uri for row in rows if consent_reasons(row.consent, row.licence)}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path in denied:
            continue
        if not find_revocation(revocations, path.name, file_digest(path)):
            yield Portrait(path.stem, path.read_bytes())


def _speakers(folder: Path, rows: Sequence[ManifestRow], revocations: Sequence[Revocation]) -> Iterator[Portrait]:
    import cv2

    seen: set[str] = set()
    for row in rows:
        path = folder / row.uri
        if row.speaker in seen or consent_reasons(row.consent, row.licence) or not path.is_file():
            continue
        if path.suffix.lower() in SUFFIXES or find_revocation(revocations, row.uri, file_digest(path)):
            continue
        seen.add(row.speaker)
        _, encoded = cv2.imencode(".png", sample_frames(path, 1)[0][..., ::-1])
        yield Portrait(row.speaker, encoded.tobytes())
