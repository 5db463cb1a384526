"""What the page says and holds; test_browser.py opens it."""

import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from cospeech.media import save_png
from cospeech.report import write_report
from cospeech.report.charts import histogram, lines
from cospeech.report.pictures import embed
from tests.cospeech.report.made import made_report


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    write_report(folder / "report.html", made_report(folder))
    return (folder / "report.html").read_text(encoding="utf-8")


def test_nothing_lies_outside_the_page(page: str) -> None:
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "@import" not in page
    assert "url(" not in page


def test_it_has_every_part(page: str) -> None:
    for text in (
        "paper: student (+ region loss)", "without &lt;local&gt;", "student − teacher", "SyncNet", "seed: 0",
        "hands_visible", "clips/&lt;dan&gt;.mp4", "2 frames at a time", "needs the official Inception-v3 weights",
    ):  # fmt: skip
        assert text in page, text
    assert Counter(re.findall(r'id="(\w[\w-]*)"', page)).most_common(1)[0][1] == 1  # each id once
    assert page.count("<svg") == 2


def test_lines_are_named_and_ordered_as_the_tables_are(page: str) -> None:
    named = re.findall(r"<text[^>]*>(teacher|student|reference copied)</text>", page)
    assert named == ["teacher", "student", "reference copied"]


def test_pictures_are_made_small(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    noise = np.random.default_rng(0).integers(0, 255, (3000, 2000, 3), dtype=np.uint8)
    save_png(path, noise)
    assert len(embed(path)) < 0.2 * path.stat().st_size
    assert embed(path) == embed(path)
    assert embed(path).startswith("data:image/webp;base64,")


def drawn(chart: str, property_: str) -> list[np.ndarray]:
    """Points (N, 2) of every path whose fill or stroke is a colour of the page."""
    paths = ElementTree.fromstring(chart).iter("{http://www.w3.org/2000/svg}path")
    coloured = [each.attrib["d"] for each in paths if f"{property_}: var(--c" in each.attrib["style"]]
    return [np.array(re.findall(r"([\d.]+) ([\d.]+)", path), float) for path in coloured]


def test_bars_are_as_high_as_counts() -> None:
    chart = histogram([0, 0, 0, 0, 2, 99], -3, 3, "offset")
    heights = [np.ptp(bar[:, 1]) for bar in drawn(chart, "fill")]
    assert len(heights) == 7
    assert heights[5] == pytest.approx(heights[3] / 4)
    assert heights[4] == 0
    assert histogram([], -3, 3, "offset") == ""


def test_lines_go_through_their_values() -> None:
    chart = lines({"a": [0.0, 1.0, 0.5], "b": [1.0, 1.0, 1.0]}, -1, "shift")
    a, b = drawn(chart, "stroke")[:2]  # then the legend's
    assert a[0, 1] > a[2, 1] > a[1, 1] == b[0, 1]
    assert a[2, 1] == pytest.approx((a[0, 1] + a[1, 1]) / 2)
    assert lines({}, 0, "x") == ""


def test_a_chart_is_the_same_text_each_time() -> None:
    assert histogram([1, 2], -3, 3, "offset") == histogram([1, 2], -3, 3, "offset")
