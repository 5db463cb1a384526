"""What the sources look like now, cheaply: enough to tell whether anything that the manifest names has changed."""

from collections.abc import Sequence
from pathlib import Path

from cospeech.footage.manifest import ManifestRow
from cospeech.footage.storage import Storage, StorageError, is_remote
from cospeech.harness.files import file_digest, read_json, write_json


def list_sources(rows: Sequence[ManifestRow], source: str, storage: Storage, digests: "Digests") -> dict[str, str]:
    """uri as the manifest writes it -> fingerprint, of every video and alignment; "absent" where it cannot be read."""
    named = dict.fromkeys(uri for row in rows for uri in (row.uri, row.alignment) if uri is not None)
    below = storage.fingerprints(source) if is_remote(source) else {}
    listing = {}
    for uri in named:
        place = storage.join(source, uri)
        try:
            listing[uri] = below.get(place) or (
                storage.fingerprint(place) if is_remote(place) else digests.fingerprint(place)
            )
        except StorageError:
            listing[uri] = "absent"
    return listing


class Digests:
    """Fingerprints of local files: a file of the size and time of before is not read again.

    They are of the content, so a copy or a touched file is not a change. `memory`: file that remembers them.
    """

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._before: dict[str, list[int | str]] = read_json(memory) if memory.is_file() else {}
        self._now: dict[str, list[int | str]] = {}

    def fingerprint(self, uri: str) -> str:
        path = Path(uri).expanduser()
        if not path.is_file():
            raise StorageError(f"{uri}: no such file")
        stat, name = path.stat(), str(path.absolute())
        size, changed, *digest = self._before.get(name, [0, 0])
        if not digest or (size, changed) != (stat.st_size, stat.st_mtime_ns):
            digest = [file_digest(path)]
        self._now[name] = [stat.st_size, stat.st_mtime_ns, *digest]
        return f"sha256:{digest[0]}"

    def save(self) -> None:
        if self._now != self._before:
            write_json(self._memory, self._now)
