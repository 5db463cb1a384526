"""Which kept clips train and which test."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Kept:
    """A kept clip; `split` is what the manifest says: train, test or None."""

    clip: str
    speaker: str | None
    split: str | None


def assign_split(kept: Sequence[Kept], holdout_every: int) -> dict[str, str]:
    """Clip -> train or test.

    What the manifest says holds. Clips it says nothing of train where it names any test clip; else one in
    `holdout_every` of them (at least one, never all) is held out for testing: whole speakers, in the order of a hash of
    their name, as far as they fit into that number; if not one does, single clips in the order of a hash of their id.
    The choice depends on names alone, not on the order of the rows.
    """
    split = {item.clip: item.split for item in kept if item.split}
    free = [item for item in kept if not item.split]
    if "test" in split.values() or not free:
        held: set[str] = set()
    else:
        most = len(free) if split else len(free) - 1
        held = _held_out(free, min(max(round(len(free) / holdout_every), 1), most))
    return split | {item.clip: "test" if item.clip in held else "train" for item in free}


def _held_out(free: Sequence[Kept], wanted: int) -> set[str]:
    speakers: dict[str, list[str]] = {}
    for item in free:
        speakers.setdefault(item.speaker or item.clip, []).append(item.clip)
    held: list[str] = []
    for speaker in sorted(speakers, key=_order):
        if len(speakers[speaker]) <= wanted - len(held):
            held += speakers[speaker]
    if not held:
        held = sorted((item.clip for item in free), key=_order)[:wanted]
    return set(held)


def _order(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def counts(split: Mapping[str, str]) -> dict[str, int]:
    return {part: sum(value == part for value in split.values()) for part in ("train", "test")}
