"""Labels made by eye, and the clips they are of."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
Span = tuple[float, float]
"""Start and end, seconds of the source."""


@dataclass(frozen=True)
class Label:
    """One source. hands: (time, "left" or "right") of every hand that a person sees in a labelled frame."""

    name: str
    licence: str
    usable: list[Span]
    cuts: list[float]
    lips: list[Span]
    hands: list[tuple[float, str]]


def load_labels() -> list[Label]:
    saved = json.loads((Path(__file__).parent / "labels.json").read_text(encoding="utf-8"))
    labels = []
    for name, entry in saved.items():
        if name == "about":
            continue
        hands, seen = [], entry["hands"]
        if seen is not None:
            times = [seen["from"] + seen["every"] * index for index in range(seen["frames"])]
            hands = [(time, side) for time in times for side in seen["seen"]]
        spans = ([(start, end) for start, end in entry[key]] for key in ("usable", "lips"))
        usable, lips = spans
        labels.append(Label(name, entry["licence"], usable, entry["cuts"], lips, hands))
    return labels


def media_folder() -> Path | None:
    """The folder of real clips: COSPEECH_TEST_MEDIA, else ../shared/media; None where it is absent."""
    folder = Path(os.environ.get("COSPEECH_TEST_MEDIA", ROOT.parent / "shared/media"))
    return folder if folder.is_dir() else None


def overlap(spans: list[Span], others: list[Span]) -> float:
    """Seconds that both cover; the spans of each do not overlap among themselves."""
    return sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in spans for b in others)
