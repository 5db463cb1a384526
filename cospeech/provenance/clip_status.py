"""Report the status of every clip: the results of ingest and curate, and which stages reused it."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cospeech.artifacts import Curated, Ledger
from cospeech.harness.clip_cache import record_path
from cospeech.harness.workspace import Workspace

STORED_STAGES = ("ingest", "extract_poses", "extract_audio")
NOT_CURATED = "not curated"


@dataclass(frozen=True)
class ClipState:
    """The status of one clip.

    status: of ingest (ok, refused). state: kept, refused or `not curated`. notes: what ingest mended or chose. ffmpeg:
    version that encoded the clip. reused, made: stages whose last run took the clip from the store, or computed it.
    """

    clip: str
    uri: str
    speaker: str
    status: str
    state: str
    split: str | None
    reasons: list[str]
    notes: str | None
    ffmpeg: str | None
    reused: list[str]
    made: list[str]


def clip_states(workspace: Workspace) -> list[ClipState]:
    """Return the status of all clips, in manifest order.

    Raises:
        ValueError: there is no ledger yet, or a file is damaged.
    """
    table = Ledger.load(workspace.ledger).table
    verdicts = _verdicts(workspace)
    records = {stage: _record(record_path(workspace.store, stage)) for stage in STORED_STAGES}
    states = []
    for row in table.to_dict("records"):
        clip = row["clip"]
        state, split, reasons = verdicts.get(clip, (NOT_CURATED, row["split"], []))
        if row["status"] == "refused":
            state, reasons = "refused", [row["reason"]]
        states.append(
            ClipState(
                clip,
                row["uri"],
                row["speaker"],
                row["status"],
                state,
                split if isinstance(split, str) else None,
                reasons,
                row["notes"] if isinstance(row["notes"], str) else None,
                row["ffmpeg"] if isinstance(row["ffmpeg"], str) else None,
                reused=[stage for stage, record in records.items() if record.get(clip) is True],
                made=[stage for stage, record in records.items() if record.get(clip) is False],
            )
        )
    return states


def _verdicts(workspace: Workspace) -> dict[str, tuple[str, str | None, list[str]]]:
    """Return clip -> (kept or refused, split, reasons); empty before curate has run."""
    if not workspace.curated.is_file():
        return {}
    table = Curated.load(workspace.curated).table
    return {
        row["clip"]: ("kept" if row["kept"] else "refused", row["split"], json.loads(row["reasons"]))
        for row in table.to_dict("records")
    }


def _record(path: Path) -> dict[str, bool]:
    if not path.is_file():
        return {}
    table = pd.read_parquet(path)
    return {clip: bool(reused) for clip, reused in zip(table["clip"], table["reused"], strict=True)}
