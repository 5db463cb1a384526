"""Versions of the exported model in a folder or on S3, one of them in production.

    LOCATION/versions/v0003/...            the export, and version.json: a hash of every file, written last
    LOCATION/registry.json                 the version in production, and the history with reasons

A version counts only if registry.json names it. registry.json is replaced atomically (a rename; on S3 one PUT), so an
interrupted operation leaves the old model in production and intact.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cospeech.footage.storage import explain_errors
from cospeech.harness.files import atomic_path, file_digest, value_digest
from cospeech.provenance.bundle import RECORD, SIGNATURE, check_bundle, check_files, listed_files
from cospeech.utils.json_types import JSONObject, JSONValue

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_S3 = "s3://"
_FORMAT = 1
_SETTING = "registry.endpoint_url"
INDEX, STATE, VERSION = "version.json", "registry.json", "versions"


@dataclass(frozen=True)
class State:
    """The content of registry.json.

    production: a version or None. history: oldest first; each entry has when, action, version, reason.
    """

    production: str | None = None
    history: Sequence[Mapping[str, JSONValue]] = field(default_factory=tuple)

    def versions(self, action: str) -> list[str]:
        """Return the versions with this action in the history: "promoted", "kept" or "rolled back from"."""
        return [entry["version"] for entry in self.history if entry["action"] == action]


@dataclass(frozen=True)
class Registry:
    """A registry. location: a folder or s3://bucket/prefix. One writer at a time: the retraining flow holds a lock."""

    location: str
    endpoint_url: str | None = None

    @classmethod
    def at(cls, location: str, endpoint_url: str | None, root: Path) -> "Registry":
        """Open a registry; a relative location starts at the project folder `root`."""
        return cls(location if location.startswith(_S3) else str(root / location), endpoint_url)

    @cached_property
    def _fs(self) -> "AbstractFileSystem":
        if self.location.startswith(_S3):
            import s3fs

            return s3fs.S3FileSystem(endpoint_url=self.endpoint_url, use_listings_cache=False, skip_instance_cache=True)
        import fsspec

        return fsspec.filesystem("file")

    def _at(self, *parts: str) -> str:
        root = self.location if self.location.startswith(_S3) else str(Path(self.location).absolute())
        return "/".join([root.rstrip("/"), *parts])

    # reading

    def state(self) -> State:
        """Read registry.json; an empty state if nothing was ever promoted.

        Raises:
            ValueError: the registry cannot be read.
        """
        place = self._at(STATE)
        with explain_errors(place, _SETTING):
            if not self._fs.exists(place):
                self._check_bucket()
                return State()
            saved = json.loads(self._fs.cat_file(place))
        if saved.get("format") != _FORMAT:
            raise ValueError(f"{place}: format {saved.get('format')}; this version of cospeech reads {_FORMAT}")
        return State(saved["production"], tuple(saved["history"]))

    def _check_bucket(self) -> None:
        if self.location.startswith(_S3):
            self._fs.ls(_S3 + self.location.removeprefix(_S3).split("/", 1)[0])  # raises where there is none

    def index(self, version: str) -> JSONObject:
        """Read version.json: digest, files (name -> SHA-256), reason."""
        place = self._at(VERSION, version, INDEX)
        with explain_errors(place, _SETTING):
            return dict(json.loads(self._fs.cat_file(place)))

    def provenance(self, version: str) -> JSONObject:
        """Read a version's provenance.json."""
        place = self._at(VERSION, version, "provenance.json")
        with explain_errors(place, _SETTING):
            return dict(json.loads(self._fs.cat_file(place)))

    def fetch(self, version: str, folder: Path) -> None:
        """Copy the export of a version to the new folder `folder`, atomically.

        Raises:
            ValueError: the folder exists, a file is missing or differs from what was promoted, or the whole is not the
                export of its own provenance.json.
        """
        if folder.exists():
            raise ValueError(f"{folder}: already exists and will not be overwritten; name a new folder")
        digests, listed = self.index(version)["files"], self.provenance(version)["files"]
        with atomic_path(folder) as temporary:
            for name in (RECORD, SIGNATURE, *listed):
                if name in digests:
                    self._fetch_file(version, name, digests[name], temporary)
            problems = check_bundle(temporary).problems if SIGNATURE in digests else check_files(temporary)
            if problems:
                raise ValueError(f"{self.location}, {version}: {'; '.join(problems[:3])}; roll back")

    def _fetch_file(self, version: str, name: str, digest: str, folder: Path) -> None:
        target, place = folder / name, self._at(VERSION, version, name)
        if not target.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{self.location}, {version}: a file named {name!r} leaves the folder; roll back")
        target.parent.mkdir(parents=True, exist_ok=True)
        with explain_errors(place, _SETTING), self._fs.open(place, "rb") as remote, target.open("wb") as local:
            shutil.copyfileobj(remote, local, 1 << 20)
        if file_digest(target) != digest:
            raise ValueError(f"{place}: its hash differs from the promoted file's; roll back")

    # writing

    def promote(self, bundle: Path, entry: Mapping[str, JSONValue], more: Mapping[str, Path] | None = None) -> str:
        """Copy the files that the record of `bundle` lists as a new version in production; return the version.

        Args:
            entry: when, reason and other data for the history.
            more: further files to copy, name -> path.

        Raises:
            ValueError: a listed file is missing or has changed, or the registry cannot be written.
        """
        state = self.state()
        version = f"v{len(state.versions('promoted')) + 1:04d}"
        files = {name: bundle / name for name in (RECORD, *listed_files(bundle))}
        if (bundle / SIGNATURE).is_file():
            files[SIGNATURE] = bundle / SIGNATURE
        self._upload({**files, **(more or {})}, version, {**entry, "digest": weights_digest(bundle)})
        added = {**entry, "action": "promoted", "version": version, "previous": state.production}
        self._save(replace(state, production=version, history=(*state.history, added)))
        return version

    def _upload(self, files: Mapping[str, Path], version: str, entry: Mapping[str, JSONValue]) -> None:
        place = self._at(VERSION, version)
        digests = {name: file_digest(path) for name, path in sorted(files.items())}
        with explain_errors(place, _SETTING):
            if self._fs.exists(place):
                self._fs.rm(place, recursive=True)  # left by an interrupted promotion
            for name in digests:
                self._put_file(files[name], self._at(VERSION, version, name))
            self._put(self._at(VERSION, version, INDEX), {"format": _FORMAT, "files": digests, **entry})

    def keep(self, entry: Mapping[str, JSONValue]) -> None:
        """Record that a candidate was not promoted, and why."""
        state = self.state()
        added = {**entry, "action": "kept", "version": state.production}
        self._save(replace(state, history=(*state.history, added)))

    def rollback(self, entry: Mapping[str, JSONValue], unusable: Sequence[str] = ()) -> str:
        """Put the latest earlier version into production that was not rolled back and is not `unusable`; return it.

        Raises:
            ValueError: there is none.
        """
        state = self.state()
        if state.production is None:
            raise ValueError(f"{self.location}: no model is in production")
        out = {*state.versions("rolled back from"), *unusable, state.production}
        earlier = [version for version in state.versions("promoted") if version < state.production]
        usable = [version for version in earlier if version not in out]
        if not usable:
            raise ValueError(f"{self.location}: no usable version before {state.production}")
        added = {**entry, "action": "rolled back from", "version": state.production, "to": usable[-1]}
        self._save(State(usable[-1], (*state.history, added)))
        return usable[-1]

    def _save(self, state: State) -> None:
        saved = {"format": _FORMAT, "production": state.production, "history": list(state.history)}
        with explain_errors(self._at(STATE), _SETTING):
            self._put(self._at(STATE), saved)

    def _put(self, place: str, value: object) -> None:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        if place.startswith(_S3):
            self._fs.pipe_file(place, text.encode())
            return
        with atomic_path(Path(place)) as path:
            path.write_text(text, encoding="utf-8")

    def _put_file(self, source: Path, place: str) -> None:
        if place.startswith(_S3):
            self._fs.put_file(str(source), place)
            return
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)


def weights_digest(bundle: Path) -> str:
    """Return a digest of the weights alone: equal for two exports that generate the same, whatever their metadata."""
    files = sorted(bundle.rglob("*.safetensors"))
    return value_digest([[path.relative_to(bundle).as_posix(), file_digest(path)] for path in files])
