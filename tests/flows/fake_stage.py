"""A stage that does as its first argument says, run as `python -m flows.stage` runs a real one."""

import errno
import logging
import os
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from cospeech.config import Params
from cospeech.harness.context import Context
from cospeech.harness.process_pool import map_clips
from cospeech.harness.stage_report import StageReport
from flows.stage import execute

logger = logging.getLogger("cospeech.fake")


def sleep_long(clip: str) -> None:
    Path(f"{clip}.pid").write_text(str(os.getpid()))
    time.sleep(120)


def run(params: Params, context: Context) -> StageReport:
    for behaviour in sys.argv[1:]:
        behave(behaviour, context)
    folder = context.workspace.stage_report("fake")
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / "noise.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (700, 1400, 3), np.uint8)).save(picture)
    return StageReport("fake", "2 clips kept", {"kept": 2, "psnr": 26.5}, {"seconds": 1.25}, {"noise": picture})


def behave(behaviour: str, context: Context) -> None:
    root = context.workspace.root
    logger.info("fake stage does: %s", behaviour)
    if behaviour == "user error":
        raise ValueError("clip bergsee-01: 12 frames, at least 25 are needed; give a longer clip")
    if behaviour == "disk full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(root / "data/a.npz"))
    if behaviour == "bug":
        raise RuntimeError("this should not happen")
    if behaviour == "hold":
        (root / "holding").touch()
        while not (root / "release").exists():
            time.sleep(0.05)
    if behaviour == "pool":
        with context.executor() as executor, context.progress("clips", 2) as bar:
            list(map_clips(sleep_long, ["one", "two"], executor, bar))
    if behaviour == "long":
        with context.progress("steps", 30) as bar:
            for step in range(30):
                time.sleep(0.2)
                bar.update(1, loss=1 / (step + 1))


if __name__ == "__main__":
    sys.exit(execute(os.environ.get("DVC_STAGE", "fake"), lambda: run, Path.cwd()))
