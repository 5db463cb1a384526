"""Render the report as one HTML file with style, script, images and videos inside; it fetches nothing."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cospeech.harness.files import atomic_path
from cospeech.metrics.control import QUANTITIES
from cospeech.metrics.registry import GESTURES, LEAD, MEASURES, SET_MEASURES, Measure
from cospeech.metrics.sync import REACH
from cospeech.report import paper
from cospeech.report.charts import histogram, lines
from cospeech.report.content import ReportData
from cospeech.report.pictures import embed
from cospeech.utils.json_types import JSONObject, JSONValue

TITLES = {
    "teacher": "teacher",
    "student": "student",
    "copy_reference": "reference copied",
    "codec": "codec alone",
    "ground_truth": "real footage",
}
_MOTION = {
    "drawn": "drawn from the voice",
    "retrieval": "of the nearest training audio",
    "mean_pose": "mean pose",
    "still": "first pose kept",
    "ground_truth": "real motion",
}
_CONTROLLED = {
    "codec": "codec alone",
    "teacher": "teacher",
    "student": "student",
    "still": "still picture",
    "truth": "real picture",
}
_ARROWS = {"higher": "↑", "lower": "↓", "one": "→1", "truth": "≈"}


def write_report(path: Path, data: ReportData) -> None:
    """Render the page and write it to `path`."""
    import jinja2
    from markupsafe import Markup

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
        titles=TITLES,
        motion_titles=_MOTION,
        paper_rows=paper.ROWS,
        paper_step=paper.step(),
        compares=paper.COMPARES,
        named={measure.key: measure for measure in MEASURES},
        measures=_told([*LEAD, *SET_MEASURES, *MEASURES[len(LEAD) :]], data),
        quantities=QUANTITIES,
        controlled=_CONTROLLED,
        per_clip=_told([*LEAD, *(each for each in MEASURES if each.key == "psnr")], data),
        ablation_measures=_with_values(MEASURES, data.ablation),
        paper_measures=_with_values([*MEASURES, *SET_MEASURES], paper.ROWS.values()),
        gestures=GESTURES,
        arrows=_ARROWS,
        splits=[split for split in ("seen", "unseen") if data.metrics["protocol"][split]],
        histogram=Markup(histogram(data.offsets, -REACH, REACH, "offset of real footage, frames")),  # noqa: S704 - ours
        curves=Markup(lines(_titled(data.shifts), -REACH, "shift of the sound, frames")),  # noqa: S704 - ours
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _titled(by_model: Mapping[str, JSONValue]) -> JSONObject:
    """Replace model names by titles, in the order of the tables."""
    return {title: by_model[model] for model, title in TITLES.items() if model in by_model}


def shown(value: object, measure: Measure | None = None) -> str:
    """Format a figure for people; a dash if there is none."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:z.{measure.digits}f}" if measure else f"{value:.4g}"
    return str(value)


def _told(measures: Sequence[Measure], data: ReportData) -> list[Measure]:
    """Return the measures that some model has; the table of missing measures names the others."""
    return _with_values(measures, [data.metrics[model] for model in TITLES])


def _with_values(measures: Sequence[Measure], rows: Iterable[Mapping[str, JSONValue]]) -> list[Measure]:
    known = list(rows)
    return [measure for measure in measures if any(row.get(measure.key) is not None for row in known)]
