"""What the pipeline keeps of real footage, and whether it finds the hands that a person sees."""

import csv
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.real.labels import Label, Span, overlap
from cospeech.artifacts import Curated
from cospeech.config import Params
from cospeech.harness.context import Context
from cospeech.harness.process_pool import process_pool
from cospeech.harness.progress import no_progress
from cospeech.harness.workspace import Workspace
from cospeech.pose import skeleton as sk
from cospeech.pose.track_file import load_track
from stages import curate, extract_audio, extract_poses, ingest

_HANDS = {"left": sk.LEFT_HAND, "right": sk.RIGHT_HAND}
Figures = dict[str, float | None]
_FIELDS = ("uri", "speaker", "licence", "consent", "split")


@dataclass(frozen=True)
class Extracted:
    """A project after `curate`. work: seconds from ingest to features, by source; one worker, nothing else running."""

    workspace: Workspace
    table: pd.DataFrame
    work: dict[str, float]


def extract(media: Path, labels: Sequence[Label], params: Params, root: Path) -> Extracted:
    """Take the sources of `labels` through ingest, poses, features and verdicts, one after the other."""
    source = root / "source"
    source.mkdir(parents=True, exist_ok=True)
    params = params.model_copy(update={"ingest": params.ingest.model_copy(update={"source": str(source)})})
    context = Context(Workspace(root / "project"), lambda: process_pool(1), no_progress)
    work: dict[str, float] = {}
    for count, label in enumerate(labels, start=1):  # what an earlier round has done comes from the store
        shutil.copyfile(media / label.name, source / label.name)
        _write_manifest(source, labels[:count])
        begun = time.monotonic()
        for stage in (ingest, extract_poses, extract_audio):
            stage.run(params, context)
        work[label.name] = time.monotonic() - begun
    with suppress(ValueError):  # too little is kept to train on; the verdicts are written all the same
        curate.run(params, context)
    return Extracted(context.workspace, Curated.load(context.workspace.curated).table, work)


def _write_manifest(folder: Path, labels: Sequence[Label]) -> None:
    """The last source is held out: a corpus needs one."""
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(_FIELDS)
        for label in labels:
            speaker = label.name.split("_")[0]
            split = "test" if label is labels[-1] else "train"
            writer.writerow([label.name, speaker, label.licence, "yes", split])


def kept_spans(table: pd.DataFrame, name: str) -> list[Span]:
    """What of a source is kept; a source is one clip."""
    return [(0.0, float(seconds)) for seconds in table.loc[(table["uri"] == name) & table["kept"], "seconds"]]


def measure_footage(found: Extracted, labels: Sequence[Label], fps: int) -> Figures:
    """seconds_usable_kept, hands_found: shares in 0..1. seconds_unusable_kept: seconds. speed: seconds of footage a
    second of work; None where nothing is of the kind. cuts: share that is found; the pipeline marks none yet."""
    usable = kept_usable = kept_unusable = 0.0
    seconds = {True: 0.0, False: 0.0}
    work = {True: 0.0, False: 0.0}
    for label in labels:
        kept = kept_spans(found.table, label.name)
        usable += sum(end - start for start, end in label.usable)
        both = overlap(kept, label.usable)
        kept_usable += both
        kept_unusable += sum(end - start for start, end in kept) - both
        seconds[bool(kept)] += float(found.table.loc[found.table["uri"] == label.name, "seconds"].fillna(0).iloc[0])
        work[bool(kept)] += found.work[label.name]
    seen = [found_hand for label in labels for found_hand in _hands(found, label, fps)]
    return {
        "seconds_usable_kept": kept_usable / usable,
        "seconds_unusable_kept": kept_unusable,
        "cuts": None,
        "cut_error_frames": None,
        "hands_found": sum(seen) / len(seen),
        "speed_kept": seconds[True] / work[True] if work[True] else None,
        "speed_refused": seconds[False] / work[False] if work[False] else None,
    }


def _hands(found: Extracted, label: Label, fps: int) -> list[bool]:
    """Whether each hand that a person sees is stored; none is of a source that ingest refused."""
    row = found.table[found.table["uri"] == label.name].iloc[0]
    path = found.workspace.poses(row["clip"])
    if not path.is_file():
        return [False] * len(label.hands)
    track = load_track(path)
    frames = [min(int(at * fps), len(track) - 1) for at, _ in label.hands]
    return [bool(track.found[frame, _HANDS[side]].any()) for frame, (_, side) in zip(frames, label.hands, strict=True)]
