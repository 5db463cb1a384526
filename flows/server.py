"""Start or stop this project's Prefect server on this machine: `python -m flows.server start|stop|status`."""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil

from cospeech.harness.files import read_json, write_json
from cospeech.utils.json_types import JSONObject
from flows.process.environment import prepare_environment, state_folder
from flows.process.groups import end_group_of, identified, identity
from flows.process.locks import exclusive

HOST = "127.0.0.1"
PORT = 4200
"""Prefect's usual port; COSPEECH_SERVER_PORT overrides it."""

START_SECONDS = 180.0


def api_url(root: Path) -> str:
    """Return the server's API address: PREFECT_API_URL, the one started here, or Prefect's usual port."""
    if url := os.environ.get("PREFECT_API_URL"):
        return url.rstrip("/")
    record = _record(root)
    return str(record["url"]) if record else f"http://{HOST}:{_wanted_port()}/api"


def answers(url: str, timeout: float = 1.0) -> bool:
    """Return whether a Prefect server answers; takes milliseconds, without importing prefect."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/health", timeout=timeout) as response:
            return json.loads(response.read(100)) is True
    except (OSError, ValueError):
        return False


def start(root: Path) -> str:
    """Start a server on loopback if none answers; return its API address.

    Raises:
        ValueError: the server ends or does not answer in time; the message has the end of its log.
    """
    with exclusive(state_folder(root) / "locks", "server"):
        url = api_url(root)
        if answers(url):
            return url
        if "PREFECT_API_URL" in os.environ:
            raise ValueError(
                f"PREFECT_API_URL is {url}, where no Prefect server answers; unset it or start that server"
            )
        return _start(root, _free_port())


def _start(root: Path, port: int) -> str:
    url = f"http://{HOST}:{port}/api"
    log = state_folder(root) / "server.log"
    # the address the dashboard in the browser asks; Prefect's own default knows only port 4200
    own = {"PREFECT_SERVER_UI_API_URL": url, "PREFECT_API_URL": url}
    pages = ",".join(f"http://{name}:{port}" for name in (HOST, "localhost"))  # others give no orders
    environment = {"PREFECT_SERVER_CORS_ALLOWED_ORIGINS": pages, **os.environ, **own}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
                raise ValueError(f"the Prefect server did not start on port {port}; the end of {log}:\n{tail}")
            time.sleep(0.2)
        write_json(_record_path(root), {"url": url, **identity(psutil.Process(process.pid))})
    except BaseException:
        end_group_of(process.pid)
        raise
    return url


def stop(root: Path) -> bool:
    """End the server that `start` started here; return False if there is none."""
    record = _record(root)
    if record is not None:
        end_group_of(int(record["pid"]))
    _record_path(root).unlink(missing_ok=True)
    return record is not None


def dashboard(url: str) -> str:
    return url.removesuffix("/api")


def _record_path(root: Path) -> Path:
    return state_folder(root) / "server.json"


def _record(root: Path) -> JSONObject | None:
    """Return the record that `start` wrote, if its process still runs."""
    try:
        record: JSONObject = read_json(_record_path(root))
    except (OSError, ValueError):
        return None
    return record if identified(record) else None


def _wanted_port() -> int:
    return int(os.environ.get("COSPEECH_SERVER_PORT", PORT))


def _free_port() -> int:
    """Return the wanted port if nobody listens there, or any free one."""
    for port in (_wanted_port(), 0):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((HOST, port))
            except OSError:
                continue
            return int(trial.getsockname()[1])
    raise ValueError(f"no free port on {HOST}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="flows.server", description=__doc__)
    parser.add_argument("action", choices=["start", "stop", "status"])
    action = parser.parse_args(arguments).action
    root = Path.cwd()
    prepare_environment(root)
    if action == "stop":
        print("server stopped" if stop(root) else "no server of this project is running")
        return 0
    try:
        url = start(root) if action == "start" else api_url(root)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    running = answers(url)
    print(f"dashboard: {dashboard(url)}" if running else f"no Prefect server answers at {url}")
    return 0 if running else 1


if __name__ == "__main__":
    sys.exit(main())
