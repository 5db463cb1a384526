"""The report as one HTML file: style, script, pictures and videos inside, nothing fetched."""

import base64
from pathlib import Path
from typing import Any

from stages.lib.files import atomic_path
from stages.lib.metrics.catalogue import MEASURES, UNAVAILABLE, Measure
from stages.lib.report_html.content import ReportData

_TITLES = {
    "teacher": "teacher",
    "student": "student",
    "copy_reference": "reference copied",
    "codec": "codec alone",
    "ground_truth": "real footage",
}
# Table 1 of arXiv 2510.02617: the fine-tuned teacher, and the student with all parts. On other footage, at another
# size, with another detector, on an H100.
_PAPER = {
    "paper: teacher": {"psnr": 24.01, "ssim": 0.835, "sync_c": 7.15, "hkc": 0.945, "fps": 1.93},
    "paper: student": {"psnr": 23.87, "ssim": 0.829, "sync_c": 7.28, "sync_d": 6.99, "hkc": 0.948, "fps": 25.31},
}
_ARROWS = {"higher": "↑", "lower": "↓", "truth": "≈"}


def write_report(path: Path, data: ReportData) -> None:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"embed": embed, "shown": shown}
    page = environment.get_template("page.html.j2").render(
        data=data,
        titles=_TITLES,
        paper=_PAPER,
        measures=MEASURES,
        unavailable=UNAVAILABLE,
        arrows=_ARROWS,
        tables=_headline(data.metrics),
        splits=[split for split in ("seen", "unseen") if data.metrics["protocol"][split]],
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def embed(path: Path) -> str:
    """A picture or video as a data address."""
    kind = {".png": "image/png", ".mp4": "video/mp4"}[path.suffix]
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def shown(value: Any, measure: Measure | None = None) -> str:
    """A figure as people read it; a dash where there is none."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{measure.digits}f}" if measure else f"{value:.4g}"
    return str(value)


def _headline(metrics: Any) -> list[dict[str, Any]]:
    """Rows of the first table: a model over all clips, with its frames per second where it was timed."""
    speed = metrics["speed"]
    return [
        {"key": key, "title": title, "values": metrics[key], "fps": speed.get(f"{key}_fps")}
        for key, title in _TITLES.items()
    ]
