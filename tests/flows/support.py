"""Small helpers of the tests of the runner."""

import subprocess
import time
from collections.abc import Callable

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
