"""How long after a word is spoken is it on the screen? `cospeech serve` with an export, its page in headless Chromium.

The microphone plays held-out speech; browser and server share this machine. first_frame_ms: from the voice's first
being heard to the first frame on the screen. delay: from each moment's being spoken to its being on the screen. skew:
how much later a picture is seen than the sound that belongs to it. gap: between one frame on the screen and the next.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from benchmarks.browser import NONE_FOUND, WATCH, browser_path, delays, first_frame, microphone, skews
from benchmarks.realtime import held_out
from stages.lib.evaluation.timing import device_name
from stages.lib.files import write_json
from stages.lib.workspace import Workspace

ROOT = Path(__file__).parents[1]


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """The address of a `cospeech serve` of its own."""
    command = [sys.executable, "-m", "stages.cli", "serve", "--root", str(root), "--port", "0"]
    path = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})
    try:
        assert server.stdout is not None
        opened = re.match(r"http://\S+", server.stdout.readline())
        if opened is None:
            raise SystemExit(f"cospeech serve did not open; it ended with status {server.wait()}")
        yield opened.group()
    finally:
        server.terminate()
        server.wait()


def measure(browser: Any, address: str, seconds: float, picture: Path | None) -> dict[str, Any]:
    """One talk. picture: of the screen near its end."""
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    page.goto(address)
    page.get_by_role("status").filter(has_text="Ready").wait_for()
    page.evaluate(WATCH)
    page.get_by_label("Play my voice").check()
    page.get_by_role("button", name="Start").click()
    page.get_by_role("status").filter(has_text="says what you say").wait_for()
    page.wait_for_timeout(1000 * seconds)
    if picture is not None:
        page.screenshot(path=picture)
    first = first_frame(page)
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("status").filter(has_text="Done").wait_for()
    delay, off = np.array(delays(page, first)), 1000 * np.array(skews(page))
    shown = np.array([each[2] for each in page.evaluate("window.seen")])
    page.close()
    return {
        "first_frame_ms": first,
        "frames": len(shown),
        "frames_a_second": 1000 * (len(shown) - 1) / float(shown[-1] - shown[0]),
        "delay_median_ms": float(np.median(delay)),
        "delay_p95_ms": float(np.percentile(delay, 95)),
        "skew_median_ms": float(np.median(off)),
        "skew_within_80_percent": 100 * float(np.mean(np.abs(off) < 80)),
        "gap_p95_ms": float(np.percentile(np.diff(shown), 95)),
        "gap_max_ms": float(np.diff(shown).max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30, help="of each talk")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--root", type=Path, default=ROOT, help="project with data/ and models/export")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="of the page while it talks")
    options = parser.parse_args()
    path = browser_path()
    if path is None:
        raise SystemExit(NONE_FOUND)
    from playwright.sync_api import sync_playwright

    found: dict[str, Any] = {"device": device_name(torch.device("cpu")), "seconds": options.seconds, "runs": []}
    _, speech, rate = held_out(Workspace(options.root), options.seconds)
    with tempfile.TemporaryDirectory() as folder, serving(options.root) as address, sync_playwright() as playwright:
        voice = Path(folder) / "voice.wav"
        soundfile.write(voice, speech, rate, subtype="PCM_16")
        with playwright.chromium.launch(executable_path=path, args=microphone(voice)) as browser:
            for _ in range(options.runs):
                found["runs"].append(measure(browser, address, options.seconds, options.picture))
                print(", ".join(f"{name} {value:.4g}" for name, value in found["runs"][-1].items()), flush=True)
    write_json(ROOT / "reports/benchmarks/live.json", found)


if __name__ == "__main__":
    main()
