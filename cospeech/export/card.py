"""Write the model card and the provenance of an export."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from cospeech.artifacts import Curated
from cospeech.harness.files import file_digest
from cospeech.metrics.registry import MEASURES, Measure
from cospeech.utils.json_types import JSONObject, JSONValue

_UNSTATED = "not stated"


def model_card(
    name: str,
    licence: str,
    settings: Mapping[str, JSONValue],
    metrics: Mapping[str, JSONValue],
    curated: Curated,
    packages: Sequence[str],
) -> str:
    """Return the export's README.md."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # noqa: S701 - markdown
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["shown"] = _shown
    training = training_clips(curated)
    return environment.get_template("card.md.j2").render(
        name=name,
        licence=licence,
        settings=settings,
        metrics=metrics,
        measures=MEASURES,
        packages=packages,
        training=training,
        people=training["speaker"].nunique(),
        rights=_rights(training),
    )


def provenance(
    name: str,
    licence: str,
    folder: Path,
    curated: Curated,
    inputs: Mapping[str, Path],
    metrics: Mapping[str, JSONValue],
) -> JSONObject:
    """Return the export's provenance.json.

    It holds hashes of all files in `folder` and of `inputs` (name -> file), every training clip with source, hash,
    licence and consent, and the measured metrics.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    columns = ["clip", "uri", "sha256", "speaker", "licence", "consent"]
    training = training_clips(curated)
    return {
        "name": name,
        "licence": licence,
        "method": "arXiv 2510.02617",
        "files": {path.relative_to(folder).as_posix(): file_digest(path) for path in files},
        "inputs": {each: file_digest(path) for each, path in inputs.items()},
        "training_clips": training[columns].to_dict("records"),
        "rights": _rights(training),
        "metrics": {model: dict(metrics[model]) for model in ("student", "teacher", "copy_reference")},
    }


def training_clips(curated: Curated) -> pd.DataFrame:
    """Return the rows of the kept training clips; licence and consent are "not stated" where they are missing."""
    table = curated.table
    rows = table[table["kept"] & (table["split"] == "train")].copy()
    for column in ("licence", "consent"):
        rows[column] = rows[column].fillna(_UNSTATED)
    return rows.astype({"uri": object, "speaker": object})


def _rights(training: pd.DataFrame) -> list[JSONObject]:
    counted = training.groupby(["licence", "consent"]).size().reset_index(name="clips")
    return [{str(name): value for name, value in row.items()} for row in counted.to_dict("records")]


def _shown(value: float | None, measure: Measure | None = None) -> str:
    if value is None:
        return "–"
    return f"{value:.{measure.digits if measure else 2}f}"
