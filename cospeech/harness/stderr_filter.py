"""Hide known, harmless notices of native libraries from the terminal, and nothing else."""

import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# mediapipe beside protobuf 6, TensorFlow Lite and absl write these to file descriptor 2 at import and at first use.
HARMLESS = (
    "'MessageFactory' object has no attribute 'GetPrototype'",
    "Created TensorFlow Lite XNNPACK delegate for CPU",
    "All log messages before absl::InitializeLog() is called",
    "inference_feedback_manager.cc",
    "Using NORM_RECT without IMAGE_DIMENSIONS",
    "A local ModelResources object is created",
    "Sets FaceBlendshapesGraph acceleration to xnnpack by default",
)


@contextmanager
def without_notices() -> Iterator[None]:
    """Buffer the process's standard error, and write all lines but the harmless ones when the block ends or fails.

    For short work only, such as an import or a first frame.
    """
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=r".*(GetPrototype|label)\(\) is deprecated")
                yield
        finally:
            sys.stderr.flush()
            os.dup2(original, 2)
            held.seek(0)
            kept = [line for line in held if not any(text.encode() in line for text in HARMLESS)]
            os.write(original, b"".join(kept))
            os.close(original)
