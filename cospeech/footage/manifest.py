"""Read the source manifest: a CSV file with one row per video."""

import csv
import difflib
import io
from dataclasses import dataclass

REQUIRED = ("uri", "speaker", "licence", "consent")
OPTIONAL = ("split", "transcript", "alignment")
SPLITS = ("train", "test")
MANIFEST_NAME = "manifest.csv"

_OTHER_SEPARATORS = ";\t|"
"""What programs put where this file has commas."""


class ManifestError(ValueError):
    """The manifest cannot be used. A single bad video never raises this."""


@dataclass(frozen=True)
class ManifestRow:
    """One row of the manifest. line: in the file, from 1. uri, alignment: as written. split: train, test or None."""

    line: int
    uri: str
    speaker: str
    licence: str
    consent: str
    split: str | None
    transcript: str | None
    alignment: str | None


def parse_manifest(text: str, name: str) -> list[ManifestRow]:
    """Parse a manifest; return its rows in order. name: of the file, for errors.

    Raises:
        ManifestError: no rows, missing or unknown columns, a row without uri or speaker, or an unknown split.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    rows, line = [], 1  # where a row begins: a quote that is not closed reaches to the end of the file
    try:
        columns = [column.strip() for column in reader.fieldnames or []]
        _check_columns(columns, name)
        reader.fieldnames = columns
        line = reader.line_num + 1
        for values in reader:
            rows.append(_row(reader.line_num, values, name))
            line = reader.line_num + 1
    except csv.Error as error:
        raise ManifestError(f"{name}, line {line}: not CSV: {error}; is a quote not closed?") from error
    if not rows:
        raise ManifestError(f"{name}: no rows under the header; add one per video ({', '.join(REQUIRED)})")
    return rows


def _check_columns(columns: list[str], name: str) -> None:
    if not columns:
        raise ManifestError(f"{name}: the file is empty; its first line must be: {','.join(REQUIRED)}")
    if len(columns) == 1 and any(other in columns[0] for other in _OTHER_SEPARATORS):
        raise ManifestError(
            f"{name}: its first line is {columns[0]!r}; use commas between the fields: {','.join(REQUIRED)}"
        )
    known = (*REQUIRED, *OPTIONAL)
    problems = [f"column {column} is missing" for column in REQUIRED if column not in columns]
    for column in columns:
        if column not in known:
            near = difflib.get_close_matches(column.lower(), known, 1, 0.6)
            problems.append(f"unknown column {column!r}" + (f" (did you mean {near[0]}?)" if near else ""))
    problems += [f"column {column} is repeated" for column in known if columns.count(column) > 1]
    if problems:
        raise ManifestError(
            f"{name}: {'; '.join(problems)}. Found: {', '.join(columns)}. Expected: {', '.join(REQUIRED)}, and "
            f"optionally {', '.join(OPTIONAL)}"
        )


def _row(line: int, values: dict, name: str) -> ManifestRow:
    if None in values or None in values.values():
        raise ManifestError(
            f"{name}, line {line}: the number of fields differs from the header's; put fields with commas in quotes"
        )
    clean = {key: value.strip() for key, value in values.items()}
    for key in ("uri", "speaker"):
        if not clean[key]:
            raise ManifestError(f"{name}, line {line}: {key} is empty")
    split = clean.get("split") or None
    if split is not None and split not in SPLITS:
        raise ManifestError(f"{name}, line {line}: split is {split!r}; it must be train, test or empty")
    return ManifestRow(
        line,
        clean["uri"],
        clean["speaker"],
        clean["licence"],
        clean["consent"],
        split,
        clean.get("transcript") or None,
        clean.get("alignment") or None,
    )
