"""Files on this machine or on S3, read the same way."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from stages.lib.files import file_digest

_S3 = "s3://"


class StorageError(ValueError):
    """Something could not be fetched; the message says what, from where and why."""


@dataclass(frozen=True)
class Storage:
    """`endpoint_url`: of the S3 service; None: the provider's own. Credentials come from the usual AWS places."""

    endpoint_url: str | None

    @cached_property
    def _s3(self) -> Any:
        import s3fs

        # without caches: a listing from before must never hide what is there now
        return s3fs.S3FileSystem(endpoint_url=self.endpoint_url, use_listings_cache=False, skip_instance_cache=True)

    def join(self, source: str, uri: str) -> str:
        """`uri` as seen from the folder `source`; absolute paths and s3:// addresses stand for themselves."""
        if uri.startswith(_S3) or Path(uri).is_absolute():
            return uri
        return f"{source.rstrip('/')}/{uri}" if source.startswith(_S3) else str(Path(source) / uri)

    def read_text(self, uri: str) -> str:
        with self.fetched(uri) as path:
            try:
                return path.read_text(encoding="utf-8")
            except UnicodeDecodeError as error:
                raise StorageError(f"{uri}: not UTF-8 text ({error.reason} at byte {error.start})") from error

    def fingerprint(self, uri: str) -> str:
        """Changes when the content does: the SHA-256 of a local file; tag and size of an S3 object (not downloaded)."""
        if not uri.startswith(_S3):
            return "sha256:" + file_digest(_local(uri))
        with _explained(uri):
            info = self._s3.info(uri)
        return f"etag:{info.get('ETag', '')}:{info['size']}:{info.get('LastModified', '')}"

    @contextmanager
    def fetched(self, uri: str) -> Iterator[Path]:
        """A local path to read from while the context is open."""
        if not uri.startswith(_S3):
            yield _local(uri)
            return
        with TemporaryDirectory(prefix="cospeech-") as folder:
            path = Path(folder) / (PurePosixPath(uri).name or "object")
            with _explained(uri), self._s3.open(uri, "rb") as remote, path.open("wb") as local:
                shutil.copyfileobj(remote, local, 1 << 20)
                size = remote.size
            if path.stat().st_size != size:
                raise StorageError(f"{uri}: {path.stat().st_size} of {size} bytes arrived; try again")
            yield path


def _local(uri: str) -> Path:
    path = Path(uri).expanduser()
    if not path.is_file():
        raise StorageError(f"{uri}: no such file" if not path.is_dir() else f"{uri}: a folder, not a file")
    return path


@contextmanager
def _explained(uri: str) -> Iterator[None]:
    """S3 failures in words that say what to do."""
    from botocore.exceptions import BotoCoreError, NoCredentialsError

    bucket = uri.removeprefix(_S3).split("/", 1)[0]
    try:
        yield
    except NoCredentialsError as error:
        raise StorageError(f"{uri}: no S3 credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") from error
    except PermissionError as error:
        raise StorageError(f"{uri}: S3 refused the credentials, or they may not read bucket {bucket}") from error
    except FileNotFoundError as error:
        raise StorageError(f"{uri}: no such object (bucket {bucket})") from error
    except (OSError, BotoCoreError) as error:
        raise StorageError(f"{uri}: S3 failed: {error}; check ingest.endpoint_url and bucket {bucket}") from error
