"""Headless Chromium for the tests of pages."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

from benchmarks.browser import NONE_FOUND, browser_path


@contextmanager
def open_browser() -> Iterator[Browser]:
    """The first browser on PATH; without one the test is skipped."""
    path = browser_path()
    if path is None:
        pytest.skip(NONE_FOUND)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        yield browser
        browser.close()
