"""Write manifest.csv and the alignment of each clip."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from cospeech.corpus.script import Line
from cospeech.corpus.speech_synthesis import Interval
from cospeech.harness.files import atomic_path, write_json

COLUMNS = ("uri", "speaker", "licence", "consent", "split", "transcript", "alignment")
LICENCE = "CC0-1.0"
CONSENT = "not needed: synthetic person, portrays nobody"


def write_manifest(path: Path, lines: Iterable[Line]) -> None:
    """Write one row per clip, in the order of `lines`; paths are relative to the manifest's folder."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for line in lines:
            video, alignment = f"clips/{line.name}.mp4", f"clips/{line.name}.json"
            writer.writerow((video, line.speaker, LICENCE, CONSENT, line.split, line.text, alignment))


def write_alignment(path: Path, words: Sequence[Interval], phones: Sequence[Interval], seconds: float) -> None:
    """Write words and phones in seconds; the last phone (silence) is extended to the clip's end."""
    last = phones[-1]
    covering = [*phones[:-1], Interval(last.text, last.start, seconds)]
    write_json(path, {"words": _rows(words), "phones": _rows(covering)})


def _rows(intervals: Iterable[Interval]) -> list[dict[str, str | float]]:
    return [{"text": one.text, "start": round(one.start, 4), "end": round(one.end, 4)} for one in intervals]
