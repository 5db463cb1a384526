"""What the dashboard shows of a stage: its sentence, figures, timings and pictures as one markdown page."""

import base64
import io
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from stages.lib.report import Figure, StageReport

PICTURE_WIDTH = 960
PICTURE_BYTES = 400_000
PICTURES = 6
"""The dashboard loads a page whole: a few pictures of a few hundred kilobytes."""


def stage_page(report: StageReport) -> str:
    parts = [f"# {report.stage}", report.summary, _table("figure", report.figures), _table("timing", report.timings)]
    parts += [
        f"**{caption}**\n\n![{caption}]({data_uri(path)})" for caption, path in [*report.pictures.items()][:PICTURES]
    ]
    if len(report.pictures) > PICTURES:
        parts.append(f"{len(report.pictures) - PICTURES} more pictures in reports/stages/{report.stage}")
    return "\n\n".join(part for part in parts if part)


def _table(title: str, values: Mapping[str, Figure]) -> str:
    if not values:
        return ""
    rows = [f"| {name.replace('_', ' ')} | {_shown(value)} |" for name, value in values.items()]
    return "\n".join([f"| {title} | |", "|---|---|", *rows])


def _shown(value: Figure) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")


def data_uri(path: Path) -> str:
    """A picture file as a PNG data address, made smaller until it is at most PICTURE_BYTES."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((PICTURE_WIDTH, 4 * PICTURE_WIDTH))
    data = _png(picture)
    if len(data) > PICTURE_BYTES:
        picture = picture.quantize(256)
        data = _png(picture)
    while len(data) > PICTURE_BYTES and min(picture.size) > 64:
        picture = picture.convert("RGB")
        picture.thumbnail((picture.width * 3 // 4, picture.height * 3 // 4))
        picture = picture.quantize(256)
        data = _png(picture)
    return "data:image/png;base64," + base64.b64encode(data).decode()


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def publish_stage(report: StageReport) -> None:
    """Attach the page to the flow run that is running."""
    from prefect.artifacts import create_markdown_artifact

    create_markdown_artifact(stage_page(report), key=report.stage.replace("_", "-"), description=report.summary)
