"""Make rows of `artifacts.Words` from the words and phones of one clip, supplied with the source or recognised."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cospeech.harness.files import read_json
from cospeech.utils.json_types import JSONObject


@dataclass(frozen=True)
class Span:
    """A word or a phone, with its start and end in seconds."""

    text: str
    start: float
    end: float


KINDS = {"words": "word", "phones": "phone"}
"""Key of the alignment file -> kind of the row."""


def rows(clip: str, kind: str, source: str, spans: Iterable[Span]) -> list[JSONObject]:
    """Return one row per span, without silence (empty text); times are rounded to the millisecond."""
    return [
        {
            "clip": clip,
            "kind": kind,
            "text": span.text.strip(),
            "start": round(span.start, 3),
            "end": round(span.end, 3),
            "source": source,
        }
        for span in spans
        if span.text.strip()
    ]


def manifest_rows(clip: str, path: Path, seconds: float) -> list[JSONObject]:
    """Read the alignment file of a clip: {"words": [{"text", "start", "end"}, ...], "phones": [...]}.

    Raises:
        ValueError: the file has another structure, or a time lies outside the `seconds` of the clip.
    """
    try:
        saved = read_json(path)
        found = {
            kind: [Span(str(item["text"]), float(item["start"]), float(item["end"])) for item in saved.get(name, [])]
            for name, kind in KINDS.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"clip {clip}: {path.name} is not a list of words and phones with text, start and end "
            f"({type(error).__name__}: {error}); see data/demo/README.md for the format"
        ) from error
    for kind, spans in found.items():
        for span in spans:
            if not 0 <= span.start <= span.end <= seconds + 0.05:
                raise ValueError(
                    f"clip {clip}: {path.name} has {kind} {span.text!r} at {span.start} to {span.end} s, outside the "
                    f"clip's 0 to {seconds:.3f} s"
                )
    return [row for kind, spans in found.items() for row in rows(clip, kind, "manifest", spans)]
