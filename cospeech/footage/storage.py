"""Read files from this machine or from S3 through one interface."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cospeech.harness.files import file_digest

if TYPE_CHECKING:
    import s3fs

_S3 = "s3://"


def is_remote(uri: str) -> bool:
    """Return whether `uri` is an S3 address."""
    return uri.startswith(_S3)


class StorageError(ValueError):
    """A file could not be fetched; the message says which, from where and why."""


@dataclass(frozen=True)
class Storage:
    """Access to local files and S3. AWS's standard places hold the credentials.

    endpoint_url: of the S3 service; None: AWS.
    """

    endpoint_url: str | None

    @cached_property
    def _s3(self) -> "s3fs.S3FileSystem":
        import s3fs

        # no caches: an old listing must not hide new objects
        return s3fs.S3FileSystem(endpoint_url=self.endpoint_url, use_listings_cache=False, skip_instance_cache=True)

    def join(self, source: str, uri: str) -> str:
        """Resolve `uri` relative to the folder `source`; return absolute paths and s3:// addresses unchanged."""
        if is_remote(uri) or Path(uri).is_absolute():
            return uri
        return f"{source.rstrip('/')}/{uri}" if is_remote(source) else str(Path(source) / uri)

    def read_text(self, uri: str) -> str:
        """Read a UTF-8 file.

        Raises:
            StorageError: it is absent, or is not UTF-8.
        """
        with self.fetch(uri) as path:
            data = path.read_bytes()
        try:
            text = data.decode()
            why = "it holds zero bytes, as UTF-16 does" if "\0" in text else ""
        except UnicodeDecodeError as error:
            why = f"{error.reason} at byte {error.start}"
        if why:
            raise StorageError(f"{uri}: not UTF-8 text ({why}); write it as UTF-8 with commas")
        return text

    def fingerprint(self, uri: str) -> str:
        """Return a value that changes with the content: SHA-256 of a local file; tag, size and time of an S3 object."""
        if not is_remote(uri):
            return "sha256:" + file_digest(_local(uri))
        with explain_errors(uri):
            return _tag(self._s3.info(uri))

    def fingerprints(self, folder: str) -> dict[str, str]:
        """Return uri -> fingerprint of all objects under an s3:// folder, with one request per thousand objects."""
        with explain_errors(folder):
            found = self._s3.find(folder, detail=True)
        return {f"{_S3}{name}": _tag(info) for name, info in found.items()}

    @contextmanager
    def fetch(self, uri: str) -> Iterator[Path]:
        """Yield a local path of the file, downloaded if it is remote; valid while the context is open.

        Raises:
            StorageError: it cannot be fetched.
        """
        if not is_remote(uri):
            yield _local(uri)
            return
        with TemporaryDirectory(prefix="cospeech-") as folder:
            path = Path(folder) / (PurePosixPath(uri).name or "object")
            with explain_errors(uri), self._s3.open(uri, "rb") as remote, path.open("wb") as local:
                shutil.copyfileobj(remote, local, 1 << 20)
                size = remote.size
            if path.stat().st_size != size:
                raise StorageError(f"{uri}: only {path.stat().st_size} of {size} bytes arrived; try again")
            yield path


def _tag(info: Mapping[str, object]) -> str:
    return f"etag:{info.get('ETag', '')}:{info['size']}:{info.get('LastModified', '')}"


def _local(uri: str) -> Path:
    path = Path(uri).expanduser()
    if not path.is_file():
        raise StorageError(f"{uri}: no such file" if not path.is_dir() else f"{uri}: a folder, not a file")
    return path


@contextmanager
def explain_errors(uri: str, setting: str = "ingest.endpoint_url") -> Iterator[None]:
    """Turn errors of file and S3 access into StorageError with a remedy. setting: the key of the S3 endpoint."""
    if not is_remote(uri):
        try:
            yield
        except OSError as error:
            raise StorageError(f"{uri}: {(error.strerror or str(error)).lower()}") from error
        return
    from botocore.exceptions import BotoCoreError, NoCredentialsError

    bucket = uri.removeprefix(_S3).split("/", 1)[0]
    try:
        yield
    except NoCredentialsError as error:
        raise StorageError(f"{uri}: no S3 credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") from error
    except PermissionError as error:
        raise StorageError(f"{uri}: S3 refused the credentials, or they lack access to bucket {bucket}") from error
    except FileNotFoundError as error:
        raise StorageError(f"{uri}: no such object (bucket {bucket})") from error
    except (OSError, BotoCoreError) as error:
        raise StorageError(f"{uri}: S3 failed: {error}; check {setting} and bucket {bucket}") from error
