"""Small parts of our own with and without, by turns, each in a fresh process: `python -m benchmarks.house`.

import_large: processor seconds of a process that imports a stage. keep_freed_memory: processor milliseconds and page
faults of encoding and decoding 8 frames with the pretrained codec. without_output: processor milliseconds a frame of
pose detection. without_notices: lines on the error stream while poses of three clips are detected. Medians. Writes
reports/benchmarks/house.json.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

from cospeech.harness.files import write_json
from cospeech.utils.allocator import SETTINGS
from flows.process.environment import PRIVATE

ROOT = Path(__file__).parents[1]
CODEC = """
import resource, torch
from pathlib import Path
from cospeech.models.autoencoders.codec import Codec
torch.set_num_threads(1)
codec = Codec.from_pretrained(Path("models/pretrained/codec/image"))
def spent():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return 1000 * (usage.ru_utime + usage.ru_stime), usage.ru_minflt
with torch.no_grad():
    for _ in range(13):
        codec.decode(codec.encode(torch.rand(8, 3, 256, 256)))
        if _ == 2:  # warm
            before = spent()
print([(b - a) / 10 for a, b in zip(before, spent())])
"""
POSES = """
import time
from pathlib import Path
from cospeech.media import iter_frames
from cospeech.pose import mediapipe
detector = mediapipe.MediaPipeDetector(mediapipe.MediaPipeOptions())
clips = [list(iter_frames(path))[:50] for path in sorted(Path("data/demo/clips").glob("*.mp4"))[:3]]
begun = time.process_time()
for clip in clips:
    detector.detect_frames(clip)
print([1000 * (time.process_time() - begun) / sum(map(len, clips))])
"""
WHOLE = "from cospeech.pose import mediapipe; mediapipe.without_output = lambda model, *_, **__: model\n"
LOUD = "import contextlib; from cospeech.pose import mediapipe; mediapipe.without_notices = contextlib.nullcontext\n"
CASES = {
    "import_large": (
        "from flows.process.imports import import_large as load; load('stages.evaluate')",
        "import stages.evaluate",
    ),
    "keep_freed_memory": ("from cospeech.utils.allocator import keep_freed_memory as keep; keep()\n" + CODEC, CODEC),
    "without_output": (POSES, WHOLE + POSES),
    "without_notices": (POSES, LOUD + POSES),
}


def measure(case: str, code: str) -> list[float]:
    """Run `code` in a process of its own; return what the module's docstring says of this case."""
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS} | PRIVATE
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if case == "import_large":
        return [after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime]
    if case == "without_notices":
        return [len(done.stderr.splitlines())]
    numbers: list[float] = json.loads(done.stdout)
    return numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    options = parser.parse_args()
    found: dict[str, dict[str, list[float]]] = {}
    for case in options.cases:
        runs = [[measure(case, code) for code in CASES[case]] for _ in range(options.times)]
        rows = [[statistics.median(column) for column in zip(*row, strict=True)] for row in zip(*runs, strict=True)]
        found[case] = dict(zip(("with", "without"), rows, strict=True))
        print(case, found[case], flush=True)
    write_json(ROOT / "reports/benchmarks/house.json", {**found, "times": options.times, "load": os.getloadavg()[0]})


if __name__ == "__main__":
    main()
