"""Fingerprint the sources of a manifest cheaply, to detect changes."""

from collections.abc import Sequence
from pathlib import Path

from cospeech.footage.manifest import ManifestRow
from cospeech.footage.storage import Storage, StorageError, is_remote
from cospeech.harness.files import file_digest, read_json, write_json


def fingerprint_sources(
    rows: Sequence[ManifestRow], source: str, storage: Storage, cache: "FingerprintCache"
) -> dict[str, str]:
    """Return uri (as in the manifest) -> fingerprint of every video and alignment; "absent" where it cannot be read."""
    named = dict.fromkeys(uri for row in rows for uri in (row.uri, row.alignment) if uri is not None)
    below = storage.fingerprints(source) if is_remote(source) else {}
    listing = {}
    for uri in named:
        place = storage.join(source, uri)
        try:
            listing[uri] = below.get(place) or (
                storage.fingerprint(place) if is_remote(place) else cache.fingerprint(place)
            )
        except StorageError:
            listing[uri] = "absent"
    return listing


class FingerprintCache:
    """Fingerprints of local files; a file whose size and time have not changed is not read again.

    A fingerprint depends on the content alone: a copied or touched file counts as unchanged.
    """

    def __init__(self, path: Path) -> None:
        """path: JSON file that keeps the fingerprints between runs."""
        self._path = path
        self._before: dict[str, list[int | str]] = read_json(path) if path.is_file() else {}
        self._now: dict[str, list[int | str]] = {}

    def fingerprint(self, uri: str) -> str:
        """Return the fingerprint of a local file.

        Raises:
            StorageError: there is no such file.
        """
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
        """Write the fingerprints that were asked for, if they changed."""
        if self._now != self._before:
            write_json(self._path, self._now)
