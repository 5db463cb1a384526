"""The page in headless Chromium, with a microphone that plays a file: it talks, in step, and complains of nothing."""

import re
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.browser import NONE_FOUND, WATCH, browser_path, delays, first_frame, microphone, skews
from cospeech.serving.auth import Token
from cospeech.serving.server import Address, make_server, open_socket
from tests.cospeech.serving.scene import PICTURE, make_state, png
from tests.cospeech.serving.test_audio_input import tone, wav


@contextmanager
def serving(secret: str | None = None, talks: int = 1) -> Iterator[str]:
    """The address of a page."""
    address = Address("127.0.0.1", 0)
    with open_socket(address) as listening:
        server = make_server(make_state(talks=talks), Token(secret), address)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    path = browser_path()
    if path is None:
        pytest.skip(NONE_FOUND)
    said = tmp_path_factory.mktemp("voice") / "said.wav"
    rate = 48000
    said.write_bytes(wav(np.concatenate([tone(0.5, rate), np.zeros(rate // 2, np.float32)]), rate))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=microphone(said))
        yield browser
        browser.close()


PAUSES = """() => {
  const film = document.getElementById("film"), pause = film.pause.bind(film);
  window.pauses = [];
  film.pause = () => {
    window.pauses.push(film.buffered.length ? film.buffered.end(film.buffered.length - 1) - film.currentTime : 0);
    pause();
  };
}"""
"""Seconds that could still be played whenever the page lets the film wait."""


@dataclass
class Opened:
    page: Page
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def open_page(browser: Browser, address: str, width: int = 1100) -> Opened:
    opened = Opened(browser.new_page(viewport={"width": width, "height": 900}))
    opened.page.on("console", lambda message: opened.messages.append(f"{message.type}: {message.text}"))
    opened.page.on("pageerror", lambda error: opened.messages.append(str(error)))
    opened.page.on("request", lambda request: opened.requests.append(request.url))
    opened.page.goto(address)
    return opened


def until_status(page: Page, text: str, seconds: float = 60) -> None:
    page.get_by_role("status").filter(has_text=re.compile(text)).wait_for(timeout=seconds * 1000)


def until(page: Page, condition: str, seconds: float = 60) -> None:
    """JavaScript that becomes true; the page's own rules forbid it to evaluate what a test would have it watch."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, (
            f"not within {seconds} s: {condition}; {page.get_by_role('alert').all_inner_texts()}"
        )
        page.wait_for_timeout(50)


def test_a_microphone_is_answered_in_step(browser: Browser, capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as address:
        opened = open_page(browser, address)
        page = opened.page
        until_status(page, "Ready")
        page.evaluate(WATCH)
        page.evaluate(PAUSES)
        page.get_by_label("Play my voice").check()
        page.get_by_role("button", name="Start").click()
        until(page, "document.getElementById('film').currentTime > 3")
        assert page.evaluate("document.getElementById('film').paused") is False
        assert page.evaluate("document.getElementById('film').videoWidth") == 64
        assert [left for left in page.evaluate("window.pauses") if left >= 0.1] == []  # it waits only when it is dry
        first = first_frame(page)
        page.get_by_role("button", name="Stop").click()
        until_status(page, "^Done")
        until(page, "document.getElementById('film').ended")
        off, delay = skews(page), delays(page, first)
        assert opened.messages == []
        assert {url.split("/")[2] for url in opened.requests if not url.startswith("blob:")} == {address.split("/")[2]}
        page.close()
    with capsys.disabled():
        print(
            f"\nmicrophone to first frame {first:.0f} ms; picture after sound: median "
            f"{statistics.median(off) * 1000:.0f} ms, from {min(off) * 1000:.0f} to {max(off) * 1000:.0f} ms "
            f"over {len(off)} frames; from spoken to shown: median {statistics.median(delay):.0f} ms"
        )
    assert len(off) > 25
    assert abs(statistics.median(off)) < 0.08
    assert sum(abs(each) < 0.08 for each in off) >= 0.9 * len(off)
    assert first > 0


PLAYER = """async (live) => {
  const { Player } = await import("./player.js");
  const video = {
    currentTime: 0, end: 0, playbackRate: 1, paused: true,
    get buffered() { return { length: this.end ? 1 : 0, start: () => 0, end: () => this.end }; },
    play() { this.paused = false; return Promise.resolve(); }, pause() { this.paused = true; },
  };
  const player = new Player(video, live), seen = [];
  player.source = { readyState: "open" };
  const look = () => seen.push([player.lead, video.playbackRate > 1]);
  const run = (seconds) => { // always with 0.6 s in hand
    for (let end = video.currentTime + seconds; video.currentTime < end; video.currentTime += 0.25) {
      video.end = video.currentTime + 0.6;
      player.play();
    }
    look();
  };
  const dry = () => { video.end = video.currentTime; player.wait(); look(); };
  run(5); dry(); run(9); run(2); dry(); run(15); run(6);
  return seen;
}"""
"""Seconds that a player wants in hand and whether it hurries, over a film that runs dry twice."""


def test_the_lead_shrinks_again_when_it_no_longer_runs_dry(browser: Browser) -> None:
    with serving() as address:
        page = open_page(browser, address).page
        wide, narrow = [0.4, False], [0.2, True]
        assert page.evaluate(PLAYER, True) == [narrow, [0.4, True], wide, narrow, [0.4, True], wide, narrow]
        assert [lead for lead, _ in page.evaluate(PLAYER, False)] == [0.2, 0.4, 0.4, 0.4, 0.8, 0.8, 0.8]
        page.close()


def test_a_file_is_spoken_by_an_uploaded_picture(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "me.png").write_bytes(PICTURE)
    (tmp_path / "said.wav").write_bytes(wav(tone(2.0, 16000), 16000))
    with serving() as address:
        opened = open_page(browser, address)
        page = opened.page
        until_status(page, "Ready")
        page.set_input_files("#picture", tmp_path / "me.png")
        page.get_by_label("Yours").wait_for(state="attached")
        page.get_by_label("Sound file", exact=True).check()
        page.set_input_files("#sound", tmp_path / "said.wav")
        page.get_by_role("button", name="Start").click()
        until_status(page, "^Done")
        until(page, "document.getElementById('film').ended")
        assert page.evaluate("document.getElementById('film').duration") == pytest.approx(2.0, abs=0.06)
        assert opened.messages == []
        page.close()


def test_what_is_wrong_is_said(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "black.png").write_bytes(png(np.zeros((64, 64, 3), np.uint8)))
    (tmp_path / "a.wav").write_bytes(b"certainly not sound" * 10)
    with serving() as address:
        page = open_page(browser, address).page
        until_status(page, "Ready")
        page.set_input_files("#picture", tmp_path / "black.png")
        page.get_by_role("alert").filter(has_text="no face is found").wait_for()
        page.get_by_label("Sound file", exact=True).check()
        page.get_by_role("button", name="Start").click()
        page.get_by_role("alert").filter(has_text="Choose a sound file first").wait_for()
        page.set_input_files("#sound", tmp_path / "a.wav")
        page.get_by_role("button", name="Start").click()
        page.get_by_role("alert").filter(has_text="sound file cannot").wait_for()
        assert page.get_by_role("button", name="Start").is_visible()
        page.close()


def test_the_second_waits_and_is_told(browser: Browser) -> None:
    with serving() as address:
        first, second = (open_page(browser, address).page for _ in range(2))
        for page in (first, second):
            until_status(page, "Ready")
            page.get_by_role("button", name="Start").click()
            until_status(page, "says what you say|you are next")
        until_status(second, "you are next")
        second.wait_for_timeout(4000)
        first.close()
        begun = time.monotonic()
        until_status(second, "says what you say")
        second.get_by_role("button", name="Stop").click()
        spoken = time.monotonic() - begun
        until_status(second, "^Done")
        lasts = second.evaluate(
            "(film => film.buffered.length ? film.buffered.end(0) : 0)(document.getElementById('film'))"
        )
        assert lasts < spoken + 1  # nothing of what was said in line
        second.close()


def test_the_token_is_asked_for(browser: Browser) -> None:
    with serving("a secret of some length") as address:
        page = open_page(browser, address).page
        assert page.url == f"{address}/enter"
        page.get_by_label("Token").fill("another secret of it")
        page.get_by_role("button", name="Enter").click()
        page.get_by_role("alert").filter(has_text="not the token").wait_for()
        page.get_by_label("Token").fill("a secret of some length")
        page.keyboard.press("Enter")
        until_status(page, "Ready")
        page.get_by_role("button", name="Start").click()
        until_status(page, "says what you say")
        page.close()


def test_it_fits_a_telephone_and_works_by_keyboard(browser: Browser) -> None:
    with serving() as address:
        page = open_page(browser, address, width=390).page
        until_status(page, "Ready")
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.querySelector('input[name=person]:checked').value") == "1"
        page.keyboard.press("Enter")  # sends the form
        until_status(page, "says what you say")
        assert page.evaluate("document.activeElement.id") == "stop"
        page.keyboard.press("Enter")
        until_status(page, "^Done")
        page.close()
