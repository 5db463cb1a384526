"""Split the kept clips into training and test clips."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class KeptClip:
    """A kept clip. split: as the manifest states it: train, test or None."""

    clip: str
    speaker: str | None
    split: str | None


def assign_split(kept: Sequence[KeptClip], holdout_every: int) -> dict[str, str]:
    """Assign every clip to train or test.

    The manifest's choices hold. If the manifest names a test clip, all clips without a choice are for training.
    Otherwise one in `holdout_every` of these (at least one, never all) is held out for testing: whole speakers, ordered
    by a hash of their name, as far as they fit; if none fits, single clips, ordered by a hash of their id. The choice
    depends on names alone, not on the order of rows.

    Returns:
        clip -> train or test.
    """
    split = {item.clip: item.split for item in kept if item.split}
    free = [item for item in kept if not item.split]
    if "test" in split.values() or not free:
        held: set[str] = set()
    else:
        most = len(free) if split else len(free) - 1
        held = _held_out(free, min(max(round(len(free) / holdout_every), 1), most))
    return split | {item.clip: "test" if item.clip in held else "train" for item in free}


def _held_out(free: Sequence[KeptClip], wanted: int) -> set[str]:
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


def split_sizes(split: Mapping[str, str]) -> dict[str, int]:
    """Return the number of clips in train and in test."""
    return {part: sum(value == part for value in split.values()) for part in ("train", "test")}
