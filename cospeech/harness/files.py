"""Write files atomically (a temporary name beside the target, then a rename), and hash them."""

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from cospeech.utils.json_types import JSONValue


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path with the suffix of `target`; rename it to `target` on success, remove it on failure.

    Works for a file and for a folder, which replaces an existing folder.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.stem}.{uuid.uuid4().hex[:8]}{target.suffix}")
    try:
        yield temporary
        if temporary.is_dir() and target.is_dir():
            old = target.with_name(f".{target.stem}.{uuid.uuid4().hex[:8]}.old")
            target.rename(old)
            temporary.rename(target)
            shutil.rmtree(old)
        else:
            temporary.replace(target)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def write_json(target: Path, value: object) -> None:
    """Write JSON as UTF-8 with sorted keys and a final newline: equal values give equal bytes.

    Raises:
        ValueError: the value holds NaN or infinity.
    """
    with atomic_path(target) as path:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> JSONValue:
    """Read a UTF-8 JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def file_digest(path: Path) -> str:
    """Return the SHA-256 of the file's bytes, 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_digest(folder: Path) -> str:
    """Return the SHA-256 over names and bytes of all weights and settings (safetensors, JSON) in a model's folder."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".safetensors", ".json"))
    return value_digest([[path.relative_to(folder).as_posix(), file_digest(path)] for path in files])


def source_digest(source: str | None) -> str | None:
    """Return what identifies the weights at `source`: the hashes of a folder's files, or the hub name itself."""
    folder = Path(source) if source else None
    if folder is None or not folder.is_dir():
        return source
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return ",".join(f"{path.relative_to(folder).as_posix()}={file_digest(path)}" for path in files)


def value_digest(value: object) -> str:
    """Return the SHA-256 of a JSON-able value, 64 hex digits; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def code_digest(*modules: ModuleType) -> str:
    """Return the SHA-256 of the source of `modules`: the code version in keys of the clip store."""
    digest = hashlib.sha256()
    for module in modules:
        assert module.__file__ is not None
        digest.update(Path(module.__file__).read_bytes())
    return digest.hexdigest()
