"""Keep what native libraries print on every start, and mean nothing by, out of the user's terminal."""

import faulthandler
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

HARMLESS = re.compile(
    rb"'MessageFactory' object has no attribute 'GetPrototype'"  # mediapipe 0.10 beside protobuf 6
    rb"|INFO: Created TensorFlow Lite XNNPACK delegate"
    rb"|^[IW]\d{4} .*(inference_feedback_manager|gl_context|landmark_projection_calculator|face_landmarker_graph)"
    rb"|All log messages before absl::InitializeLog\(\) is called"
    rb"|SymbolDatabase\.GetPrototype\(\) is deprecated"
)


@contextmanager
def quiet_native_libraries() -> Iterator[None]:
    """Drop the HARMLESS lines that this process and its workers write to file descriptor 2; pass all else on at once.

    Python's own `sys.stderr` of this process keeps writing straight to the terminal, so progress bars stay bars.
    """
    terminal = os.dup(2)
    reading, writing = os.pipe()
    python_stderr = sys.stderr
    python_stderr.flush()
    sys.stderr = os.fdopen(os.dup(terminal), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    os.dup2(writing, 2)
    os.close(writing)
    faulthandler.enable(sys.stderr)
    thread = threading.Thread(target=_pass_on, args=(reading, terminal), daemon=True, name="native output")
    thread.start()
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        thread.join(timeout=2)  # a worker that outlives us may still hold the other end
        faulthandler.disable()
        sys.stderr.close()
        sys.stderr = python_stderr


def _pass_on(reading: int, terminal: int) -> None:
    rest = b""
    while chunk := os.read(reading, 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        kept = b"".join(line + b"\n" for line in lines if not HARMLESS.search(line))
        if b"\r" in rest:  # a bar of a worker
            kept, rest = kept + rest, b""
        _write_all(terminal, kept)
    if rest and not HARMLESS.search(rest):
        _write_all(terminal, rest)
    os.close(reading)
    os.close(terminal)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
