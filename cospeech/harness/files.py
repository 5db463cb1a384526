"""Whole files or none: a temporary name beside the target, then a rename. And their hashes."""

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path with the suffix of `target`; on success it becomes `target`, on failure it is removed.

    Works for a file or for a folder (which replaces an existing folder).
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


def write_json(target: Path, value: Any) -> None:
    """UTF-8, sorted keys, newline at the end: equal values give equal bytes. NaN and infinity are refused."""
    with atomic_path(target) as path:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def file_digest(path: Path) -> str:
    """SHA-256 of the bytes, 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_digest(folder: Path) -> str:
    """SHA-256 over names and bytes of all weights and settings in a folder, such as a model's."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".safetensors", ".json"))
    return value_digest([[path.relative_to(folder).as_posix(), file_digest(path)] for path in files])


def source_digest(source: str | None) -> str | None:
    """What a parameter that names weights points at: the bytes of a folder's files, or the hub name itself."""
    folder = Path(source) if source else None
    if folder is None or not folder.is_dir():
        return source
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return ",".join(f"{path.relative_to(folder).as_posix()}={file_digest(path)}" for path in files)


def value_digest(value: Any) -> str:
    """SHA-256 of a JSON-able value, 64 hex digits; equal values give equal digests whatever the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def code_digest(*modules: ModuleType) -> str:
    """SHA-256 of the source of `modules`: the code version in keys of the clip store."""
    digest = hashlib.sha256()
    for module in modules:
        assert module.__file__ is not None
        digest.update(Path(module.__file__).read_bytes())
    return digest.hexdigest()
