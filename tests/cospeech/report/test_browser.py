"""The report in headless Chromium: it renders, sorts, plays in step, complains of nothing, asks for nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page

from cospeech.metrics.control import QUANTITIES
from cospeech.metrics.registry import MEASURES
from cospeech.report import write_report
from tests.cospeech.report.made import FPS, made_report
from tests.helpers.browser import open_browser


@dataclass
class Opened:
    page: Page
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("report")
    path = folder / "report.html"
    write_report(path, made_report(folder))
    with open_browser() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        opened = Opened(page)
        page.on("console", lambda message: opened.messages.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: opened.messages.append(str(error)))
        page.on("request", lambda request: opened.requests.append(request.url))
        page.goto(path.as_uri())
        yield opened


def column(page: Page, heading: str) -> list[str]:
    index = page.locator("#per-clip th").all_text_contents().index(heading)
    return [row.locator("td").nth(index).inner_text() for row in page.locator("#per-clip tbody tr").all()]


def test_it_renders(opened: Opened) -> None:
    page = opened.page
    assert page.title() == "cospeech report"
    rows = {name: page.locator(f"#{name} tbody tr").count() for name in ("control", "headline", "ablation", "paper")}
    assert rows == {"control": len(QUANTITIES), "headline": 1 + len(MEASURES), "ablation": 1, "paper": 6}
    assert page.locator("svg").count() == 2
    sizes = page.evaluate("[...document.images].map(each => each.naturalWidth)")
    assert sizes == [1120] * (2 + 2 + 1 + 1)


def test_tables_fit_the_page(opened: Opened) -> None:
    wide = "[...document.querySelectorAll('body, .scroll, table')].filter(each => each.scrollWidth > {})"
    inside = opened.page.evaluate("document.querySelector('header').clientWidth")
    assert inside == 1280 - 2 * 28
    names = opened.page.evaluate(wide.format(1280) + ".map(each => each.id || each.tagName)")
    assert names == []
    names = opened.page.evaluate(
        f"[...document.querySelectorAll('table')].filter(each => each.offsetWidth > {inside}).map(each => each.id)"
    )
    assert names == []


def test_it_sorts_up_and_down_with_gaps_last(opened: Opened) -> None:
    page = opened.page
    heading = page.locator("#per-clip th", has_text="PSNR")
    for direction in ("ascending", "descending"):
        heading.click()
        assert heading.get_attribute("aria-sort") == direction
        values = column(page, "PSNR")
        assert values[-1] == "–"
        known = [float(value) for value in values[:-1]]
        assert known == sorted(known, reverse=direction == "descending")
    page.locator("#per-clip th", has_text="person").focus()
    page.keyboard.press("Enter")
    people = column(page, "person")
    assert people == sorted(people)


def test_stretches_play_in_step(opened: Opened) -> None:
    page = opened.page
    page.click("#play-all")
    page.wait_for_function("document.querySelector('video.stretch').currentTime > 0.3", timeout=20_000)
    places = page.evaluate(
        "[...document.querySelectorAll('video.stretch')].map(each => [each.currentTime, each.paused])"
    )
    assert len(places) == 2
    assert not any(paused for _, paused in places)
    assert abs(places[0][0] - places[1][0]) <= 2 / FPS
    page.click("#play-all")
    page.wait_for_function("[...document.querySelectorAll('video.stretch')].every(each => each.paused)")


def test_stretches_go_frame_by_frame_and_slowly(opened: Opened) -> None:
    page = opened.page
    everywhere = "[...document.querySelectorAll('video.stretch')].every(each => Math.abs(each.currentTime - {}) < 0.01)"
    page.evaluate("document.querySelector('video.stretch').currentTime = 0.2")
    page.wait_for_function(everywhere.format(0.2))
    page.click("#on")
    page.wait_for_function(everywhere.format(0.2 + 1 / FPS))
    page.click("#back")
    page.wait_for_function(everywhere.format(0.2))
    page.click("#slow")
    page.wait_for_function("[...document.querySelectorAll('video.stretch')].every(each => each.playbackRate === 0.25)")
    page.click("#slow")


def test_whole_clips_play_in_step(opened: Opened) -> None:
    page = opened.page
    page.evaluate("document.querySelector('.pair video').play()")
    page.wait_for_function("document.querySelector('.pair video').currentTime > 0.4", timeout=20_000)
    first, second = page.evaluate(
        "[...document.querySelectorAll('.pair')[0].querySelectorAll('video')].map(each => each.currentTime)"
    )
    assert abs(first - second) <= 2 / FPS


def test_no_complaints_and_no_requests(opened: Opened) -> None:
    """Last in the file: after all that was done above."""
    assert opened.messages == []
    outside = [url for url in opened.requests if not url.startswith(("file:", "data:"))]
    assert outside == []
    assert sum(url.startswith("file:") for url in opened.requests) == 1


def test_it_prints_a_picture(opened: Opened, tmp_path: Path) -> None:
    opened.page.screenshot(path=tmp_path / "report.png", full_page=True)
    assert (tmp_path / "report.png").stat().st_size > 20_000
