"""A real S3 server of our own on the loopback (rclone), that can be killed and started again on the same port."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEY, SECRET = "key", "secret"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

LOOK_AGAIN = "--dir-cache-time=1ms"
"""rclone remembers folders for 5 minutes, in which it does not see what is changed behind its back; with 0 it looks
without pause and takes a whole core."""


class S3Server:
    """The subfolders of `root` are its buckets, their files the objects. It takes CREDENTIALS."""

    def __init__(self, folder: Path) -> None:
        self.root, self._folder = folder / "buckets", folder
        self.root.mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bucket(self, name: str) -> Path:
        (self.root / name).mkdir(exist_ok=True)
        return self.root / name

    def start(self) -> None:
        rclone = str(Path(sys.executable).with_name("rclone"))
        command = [rclone, "serve", "s3", str(self.root), "--auth-key", f"{KEY},{SECRET}", LOOK_AGAIN]
        with (self._folder / "rclone.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--addr", f"127.0.0.1:{self.port}", "--config", str(self._folder / "none")],
                stdout=log,
                stderr=log,
            )
        for _ in range(200):
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError((self._folder / "rclone.log").read_text())

    def kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def serve_s3(folder: Path) -> Iterator[S3Server]:
    """Running while the context is open."""
    server = S3Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
