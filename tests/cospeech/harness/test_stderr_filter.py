"""What native code writes to the error stream: known notices go, everything else stays."""

import os

import pytest

from cospeech.harness.stderr_filter import HARMLESS, without_notices


def test_only_the_known_notices_are_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    with without_notices():
        os.write(2, b"E0000 model is damaged\nINFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
        os.write(2, f"W0000 {HARMLESS[3]}:114] Feedback manager\nW0000 out of memory\n".encode())
    assert capfd.readouterr().err == "E0000 model is damaged\nW0000 out of memory\n"


def test_lines_survive_an_exception_and_the_stream_is_given_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), without_notices():
        os.write(2, b"the last words") / 0
    os.write(2, b", and after")
    assert capfd.readouterr().err == "the last words, and after"
