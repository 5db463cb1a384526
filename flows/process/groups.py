"""Run child processes that never outlive the run that they belong to."""

import contextlib
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from cospeech.utils.json_types import JSONValue
from flows.process.environment import PIPELINE

GRACE_SECONDS = 5.0
"""Between SIGTERM and SIGKILL."""

SHELLS = {"sh", "bash", "dash", "zsh", "fish", "ksh"}


def run_group(
    command: Sequence[str],
    environment: Mapping[str, str],
    on_line: Callable[[str], None],
    grace: float = GRACE_SECONDS,
    folder: Path | None = None,
) -> int:
    """Run `command` in its own session, stream its output, return its exit status.

    Whatever ends this call, a signal or a cancelled flow too, first ends every process of the group. On a terminal the
    child gets a terminal as well, so that its progress bars look the same.

    Args:
        on_line: called with each finished line.
        grace: seconds between SIGTERM and SIGKILL.
        folder: working directory; None: the current one.
    """
    on_terminal = sys.stdout.isatty()
    reading, writing = pty.openpty() if on_terminal else os.pipe()
    if on_terminal:
        columns, lines = shutil.get_terminal_size()
        termios.tcsetwinsize(writing, (lines, columns))
    child = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdout=writing,
        stderr=writing,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(writing)
    try:
        _stream(reading, child, on_line)
        return child.wait()
    finally:
        with _undisturbed():
            end_group_of(child.pid, grace)
            child.wait()
            os.close(reading)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Postpone SIGTERM and SIGINT, such as a second Ctrl-C, to the end of the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    numbers = (int(signal.SIGTERM), int(signal.SIGINT))
    before = {number: signal.signal(number, lambda got, frame: came.append(got)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            os.kill(os.getpid(), came[0])


def _stream(reading: int, child: subprocess.Popen, on_line: Callable[[str], None]) -> None:
    """Copy output until end of file, or until the child has ended and no more comes."""
    rest = b""
    while True:
        ready, _, _ = select.select([reading], [], [], 0.5)
        if not ready:
            if child.poll() is not None:
                return
            continue
        try:
            chunk = os.read(reading, 65536)
        except OSError:  # a pseudo terminal whose other end is closed
            chunk = b""
        if not chunk:
            return
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            on_line(line.rstrip(b"\r").split(b"\r")[-1].decode("utf-8", "replace"))


def end_group_of(leader: int, grace: float = GRACE_SECONDS) -> None:
    """Ask every process of the leader's group to end, kill it after `grace` seconds, and wait until none is left."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader, number)
        deadline = time.monotonic() + grace
        while _group_alive(leader) and time.monotonic() < deadline:
            time.sleep(0.05)


def _group_alive(group: int) -> bool:
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == group and alive(process):
                return True
    return False


def alive(process: psutil.Process) -> bool:
    """Return whether the process runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def identity(process: psutil.Process) -> dict[str, float]:
    """Return what tells a process from a later one with the same pid."""
    return {"pid": process.pid, "created": process.create_time()}


def identified(record: Mapping[str, JSONValue]) -> psutil.Process | None:
    """Return the process that `identity` recorded, if it still runs."""
    try:
        process = psutil.Process(int(record["pid"]))
        same = abs(process.create_time() - float(record["created"])) < 1
    except (ValueError, KeyError, psutil.NoSuchProcess):
        return None
    return process if same and alive(process) else None


def end_with_dvc() -> None:
    """End this stage when the dvc that started it is gone, so that the next run meets no writer of the same outputs.

    Likewise when the pipeline that started dvc is gone, as nothing else would end dvc.
    """
    if "DVC_STAGE" not in os.environ:
        return
    parents = psutil.Process().parents()
    # a program that runs dvc by its Python interface is not called dvc
    candidates = [*filter(_is_dvc, parents), *(each for each in parents if each.name() not in SHELLS)]
    watched = [("dvc", dvc) for dvc in candidates[:1]]
    if pipeline := os.environ.get(PIPELINE):
        try:
            watched.append(("the pipeline", psutil.Process(int(pipeline))))
        except psutil.NoSuchProcess:
            raise SystemExit("the pipeline is gone; this stage does not start") from None
    threading.Thread(target=_watch, args=(watched,), daemon=True, name="watch dvc").start()


def _is_dvc(process: psutil.Process) -> bool:
    try:
        return any(Path(word).name == "dvc" for word in process.cmdline())
    except psutil.Error:
        return False


def _watch(watched: Sequence[tuple[str, psutil.Process]]) -> None:
    while not (gone := [name for name, process in watched if not alive(process)]):
        time.sleep(0.5)
    with contextlib.suppress(OSError):  # nobody may be left to read it
        print(f"{gone[0]} is gone; this stage ends too", file=sys.stderr)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def exit_on_sigterm() -> None:
    """Turn SIGTERM into SystemExit, so that pools and temporary files are cleaned up."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
