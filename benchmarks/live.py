"""How long after a word is spoken is it on the screen? `cospeech serve` with an export, its page in headless Chromium.

The microphone plays held-out speech; browser and server share this machine's processor. first_frame_ms: from the
voice's first being heard to the first frame on the screen. frames: shown in all. Of those that the page was told of
(watched), delay: from each moment's being spoken to its being on the screen; skew: how much later a picture is seen
than the sound that belongs to it, and in how many it is under 80 ms; gap: between one and the next.
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
import torch

from benchmarks.browser import NONE_FOUND, WATCH, browser_path, delays, first_frame, microphone, skews
from benchmarks.realtime import held_out
from cospeech.evaluation.throughput import device_name
from cospeech.harness.files import write_json
from cospeech.harness.workspace import Workspace
from cospeech.media import write_speech

ROOT = Path(__file__).parents[1]


@contextmanager
def serving(root: Path, longest: float) -> Iterator[str]:
    """The address of a `cospeech serve` of its own. longest: seconds that a talk may take."""
    command = [sys.executable, "-m", "cospeech.cli", "serve", "--root", str(root), "--port", "0", "--device", "cpu"]
    open_to_all = {name: value for name, value in os.environ.items() if name != "COSPEECH_TOKEN"}
    with subprocess.Popen(
        [*command, "--longest", str(longest)], stdout=subprocess.PIPE, text=True, env=open_to_all
    ) as server:
        try:
            assert server.stdout is not None
            said = server.stdout.readline()
            opened = re.match(r"http://\S+", said)
            if opened is None:
                raise SystemExit(f"cospeech serve did not open a page; {said.strip() or 'the lines above say why'}")
            yield opened.group()
        finally:
            server.terminate()


def talk(page: Any, address: str, seconds: float, picture: Path | None) -> float:
    """Speaks to the page until it has shown all; milliseconds to its first frame. picture: of the screen near the end.

    Raises:
        SystemExit: the page ended the talk, or showed next to nothing.
    """
    page.goto(address)
    page.get_by_role("status").filter(has_text="Ready").wait_for()
    page.evaluate(WATCH)
    page.get_by_label("Play my voice").check()
    page.get_by_role("button", name="Start").click()
    page.get_by_role("status").filter(has_text="says what you say").wait_for()
    page.wait_for_timeout(1000 * seconds)
    if picture is not None:
        page.screenshot(path=picture)
    first, shown = first_frame(page), len(page.evaluate("window.seen"))
    stop = page.get_by_role("button", name="Stop")
    if not stop.is_visible():
        why = " ".join(page.get_by_role("alert").all_inner_texts())
        raise SystemExit(f"the talk ended before its {seconds:g} s: {why}")
    if shown < 2:
        raise SystemExit(f"{shown} frames were shown in {seconds:g} s; give a longer --seconds")
    stop.click()
    page.get_by_role("status").filter(has_text="Done").wait_for(timeout=1000 * (60 + 2 * seconds))
    return first


def measure(browser: Any, address: str, seconds: float, picture: Path | None) -> dict[str, float]:
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    first = talk(page, address, seconds, picture)
    delay, off = np.array(delays(page, first)), 1000 * np.array(skews(page))
    _, _, at, _, count = np.array(page.evaluate("window.seen")).T
    page.close()
    return {
        "first_frame_ms": first,
        "frames": float(count[-1]),
        "frames_a_second": 1000 * float((count[-1] - count[0]) / (at[-1] - at[0])),
        "watched": float(len(at)),
        "delay_median_ms": float(np.median(delay)),
        "delay_p95_ms": float(np.percentile(delay, 95)),
        "skew_median_ms": float(np.median(off)),
        "skew_under_80_ms_percent": 100 * float(np.mean(np.abs(off) < 80)),
        "gap_p95_ms": float(np.percentile(np.diff(at), 95)),
        "gap_max_ms": float(np.diff(at).max()),
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

    torch.set_num_threads(1)  # as in the server
    found: dict[str, Any] = {"device": device_name(torch.device("cpu")), "seconds": options.seconds, "runs": []}
    _, speech, rate = held_out(Workspace(options.root), options.seconds)
    longest = max(300, 2 * options.seconds)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(options.root, longest) as address,
        sync_playwright() as playwright,
    ):
        voice = Path(folder) / "voice.wav"
        write_speech(voice, speech, rate)
        with playwright.chromium.launch(executable_path=path, args=microphone(voice)) as browser:
            for _ in range(options.runs):
                found["runs"].append(measure(browser, address, options.seconds, options.picture))
                write_json(ROOT / "reports/benchmarks/live.json", found)
                print(", ".join(f"{name} {value:.4g}" for name, value in found["runs"][-1].items()), flush=True)


if __name__ == "__main__":
    main()
