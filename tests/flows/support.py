"""Small helpers of the tests of the runner."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.settings import PREFECT_API_URL, temporary_settings

Start = Callable[..., "subprocess.Popen[str]"]
"""(behaviour, **environment variables) -> the running fake stage."""


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether `condition` came true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


@contextmanager
def prefect_client(url: str) -> Iterator[Any]:
    with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
        yield client


def children_of(client: Any, parent: Any) -> list[Any]:
    """Flow runs that show on the timeline of `parent`."""
    parents = FlowRunFilterParentFlowRunId(any_=[parent.id])
    children: list[Any] = client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id=parents))
    return children


class Relay:
    """A door in front of a server on this machine; shut, it is as if the server had died."""

    def __init__(self, port: int) -> None:
        self.behind = port
        self.door = socket.create_server(("127.0.0.1", 0))
        self.open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.door.getsockname()[1])

    def shut(self) -> None:
        for each in [self.door, *self.open]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):  # shut
            while True:
                outside, _ = self.door.accept()
                inside = socket.create_connection(("127.0.0.1", self.behind))
                self.open += [outside, inside]
                for pair in ((outside, inside), (inside, outside)):
                    threading.Thread(target=_copy, args=pair, daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
