"""Headless Chromium, and what the live page shows in it. Tests use it too."""

import shutil
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NONE_FOUND = f"no browser on PATH (looked for {', '.join(BROWSERS)}); Debian's package is chromium"
WATCH = """() => {
  const film = document.getElementById("film");
  window.seen = [];
  const look = (now, frame) => {
    window.seen.push([frame.mediaTime, film.currentTime, frame.expectedDisplayTime, now, frame.presentedFrames]);
    film.requestVideoFrameCallback(look);
  };
  film.requestVideoFrameCallback(look);
}"""
"""Of every frame that the page is told of (a busy page misses some): its own time and that of the sound that plays,
seconds of the film; when it is on the screen, and now, milliseconds; how many have been shown, missed ones too."""


def browser_path() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def microphone(path: object) -> list[str]:
    """Arguments of Chromium: its microphone plays that WAV file, over and over, and nobody is asked."""
    return [
        "--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={path}",
    ]  # fmt: skip


def first_frame(page: Any) -> float:
    """Milliseconds from the voice's first being heard to the first frame on the screen."""
    return float(page.evaluate("Number(document.getElementById('figures').dataset.firstFrame)"))


def skews(page: Any) -> list[float]:
    """Seconds by which each frame is on the screen after the sound that belongs to it."""
    return [sound + (shown - now) / 1000 - own for own, sound, shown, now, _ in page.evaluate("window.seen")]


def delays(page: Any, first: float) -> list[float]:
    """Milliseconds from each moment's being spoken to its being on the screen. first: as `first_frame`."""
    seen = page.evaluate("window.seen")
    start = seen[0][3] - first
    return [shown - start - 1000 * own for own, _, shown, *_ in seen]
