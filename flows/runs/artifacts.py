"""Publish a stage on the dashboard: summary, figures, timings and pictures as one markdown page."""

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from cospeech.harness.stage_report import Figure, StageReport
from cospeech.harness.workspace import Workspace

if TYPE_CHECKING:
    from cospeech.registry.gate import Comparison, Decision

EVENT_PROMOTED, EVENT_KEPT = "cospeech.model.promoted", "cospeech.model.kept"
"""Events that automations can wait for."""

PICTURE_WIDTH = 960
PICTURE_BYTES = 400_000
PICTURES = 6
"""Greatest number of pictures; the dashboard loads a page whole."""


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
    """Return a picture file as a PNG data address, scaled down to at most PICTURE_BYTES."""
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

    page = stage_page(report)
    if report.stage == "evaluate":
        address = Workspace(Path.cwd()).html_report
        page += f"\n\nThe report, on the machine of this run: [{address}]({address.as_uri()})"
    create_markdown_artifact(page, key=report.stage.replace("_", "-"), description=report.summary)


def decision_page(decision: "Decision", version: str | None) -> str:
    """Return the gate's decision as Markdown, with its figures."""
    parts = ["# promoted" if decision.promote else "# kept", decision.reason, f"In production: {version or 'nothing'}"]
    if decision.comparisons:
        columns = ["measure", "candidate", "production", "gain", "interval", "clips", "must be above", ""]
        head = "| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|"
        parts.append("\n".join([head, *(_comparison_row(each) for each in decision.comparisons)]))
    return "\n\n".join(parts)


def _comparison_row(each: "Comparison") -> str:
    interval = "" if each.low is None else f"{each.low:+.3g} to {each.high:+.3g}"
    verdict = each.problem or ("passed" if each.passed else "not passed")
    cells = [each.rule.measure, _shown(each.candidate), _shown(each.production), _shown(each.gain), interval]
    return "| " + " | ".join([*cells, str(each.clips), f"{each.rule.margin:+g}", verdict]) + " |"


def publish_decision(decision: "Decision", version: str | None) -> None:
    """Attach the page to the flow run that is running, and tell automations (docs/guides/retraining.md)."""
    from prefect.artifacts import create_markdown_artifact
    from prefect.events import emit_event

    create_markdown_artifact(decision_page(decision, version), key="promotion", description=decision.reason)
    emit_event(
        EVENT_PROMOTED if decision.promote else EVENT_KEPT,
        resource={"prefect.resource.id": "cospeech.registry", "cospeech.version": version or "none"},
        payload={"reason": decision.reason},
    )
