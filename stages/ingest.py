"""Turn the manifest's sources into clips: square, constant rate, sound in step; a ledger row each, whatever happens."""

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cospeech.artifacts import Ledger
from cospeech.artifacts.tables import LEDGER_COLUMNS
from cospeech.audio.words import manifest_rows
from cospeech.config import Params
from cospeech.footage.consent import Revocation, find_revocation, load_revocations
from cospeech.footage.cut import (
    CUT_FACTS,
    FACTS,
    SPEECH,
    VIDEO,
    CutJob,
    CutResult,
    CutSettings,
    Refused,
    cut_clip,
    salt,
)
from cospeech.footage.manifest import MANIFEST_NAME, ManifestRow, parse_manifest
from cospeech.footage.storage import Storage
from cospeech.harness.clip_cache import ClipStore
from cospeech.harness.context import Context
from cospeech.harness.files import atomic_path, read_json, value_digest
from cospeech.harness.process_pool import ClipFailure, map_clips
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace, clip_id
from cospeech.media import contact_sheet, iter_frames, save_png
from cospeech.utils.ffmpeg import find_ffmpeg
from cospeech.utils.json_types import JSONObject

STAGE = "ingest"
_SHOWN_CLIPS = 12
Row = JSONObject


def run(params: Params, context: Context) -> StageReport:
    """Writes data/clips and data/clips.parquet: a row per manifest row, in its order, ok or refused with a reason.

    Raises:
        ManifestError, StorageError, MediaError: the manifest itself cannot be read, or there is no such ffmpeg (all are
            ValueErrors).
    """
    begun = time.monotonic()
    workspace, storage = context.workspace, Storage(params.ingest.endpoint_url)
    source = params.ingest.source
    find_ffmpeg(params.media.ffmpeg)  # before every source is refused for it
    manifest = storage.join(source, MANIFEST_NAME)
    rows = parse_manifest(storage.read_text(manifest), manifest)
    settings = CutSettings(params.media.fps, params.media.size, params.media.sample_rate)
    store = ClipStore(workspace.store, STAGE, salt(settings))
    revocations = load_revocations(workspace.revoked)
    wanted = [storage.join(source, row.uri) for row in rows if not find_revocation(revocations, row.uri)]
    outcomes = _cut_all(wanted, settings, storage, store, context, params.media.ffmpeg)
    workspace.clips.mkdir(parents=True, exist_ok=True)
    ledger_rows, reused = _place(rows, outcomes, revocations, source, storage, store, workspace)
    _remove_stale(workspace, {row["clip"] for row in ledger_rows if row["status"] == "ok"})
    ledger = Ledger(pd.DataFrame(ledger_rows, columns=list(LEDGER_COLUMNS)))
    ledger.save(workspace.ledger)
    store.record(reused)
    timings = {"seconds": time.monotonic() - begun, "reused": sum(reused.values())}
    report = _report(workspace, Ledger.load(workspace.ledger), params.media.size, timings)
    report.save(workspace.stage_report(STAGE))
    return report


def _cut_all(
    uris: Sequence[str],
    settings: CutSettings,
    storage: Storage,
    store: ClipStore,
    context: Context,
    ffmpeg: Path | None,
) -> dict[str, CutResult | Refused | ClipFailure]:
    """uri -> where its clip is, or why there is none. A uri that stands in several rows is cut once."""
    jobs = [CutJob(uri, storage, settings, store, ffmpeg) for uri in dict.fromkeys(uris)]
    with context.progress("ingest", len(jobs)) as bar, context.executor() as executor:
        return {job.clip: result for job, result in map_clips(cut_clip, jobs, executor, bar)}


def _place(
    rows: Sequence[ManifestRow],
    outcomes: Mapping[str, CutResult | Refused | ClipFailure],
    revocations: Sequence[Revocation],
    source: str,
    storage: Storage,
    store: ClipStore,
    workspace: Workspace,
) -> tuple[list[Row], dict[str, bool]]:
    """Copy each clip out of the store and write its ledger row; the first of equal sources is the one that counts."""
    placed: list[Row] = []
    reused: dict[str, bool] = {}
    lines: dict[str, int] = {}  # sha256 of a source -> manifest line
    taken: set[str] = set()
    for row in rows:
        outcome = outcomes.get(storage.join(source, row.uri))
        digest = _sha256(store, outcome)
        withdrawn = find_revocation(revocations, row.uri, digest or "")
        if withdrawn is not None:
            placed.append(_withdrawn(row, withdrawn, placed))
            continue
        assert outcome is not None, row.uri
        try:
            if not isinstance(outcome, CutResult):
                raise ValueError(outcome.reason)
            facts = _facts(store, outcome)
            first = lines.setdefault(facts["sha256"], row.line)
            if first != row.line:
                raise ValueError(f"the same video as in line {first} of the manifest")
            clip = clip_id(row.uri, facts["sha256"])
            _copy(clip, row, outcome, facts, source, storage, store, workspace)
            placed.append({**_named(row, clip), "status": "ok", **{name: facts[name] for name in CUT_FACTS}})
            reused[clip] = outcome.reused
        except ValueError as error:
            clip = clip_id(row.uri, value_digest([row.uri, row.line if row.uri in taken else 0]))
            reason = _short(str(error))
            placed.append({**_named(row, clip), "status": "refused", "reason": reason, "sha256": digest})
        taken.add(row.uri)
    return placed, reused


def _sha256(store: ClipStore, outcome: CutResult | Refused | ClipFailure | None) -> str | None:
    """None where the source was not read."""
    if isinstance(outcome, CutResult):
        return str(_facts(store, outcome)["sha256"])
    return outcome.sha256 if isinstance(outcome, Refused) else None


def _withdrawn(row: ManifestRow, revocation: Revocation, placed: Sequence[Row]) -> Row:
    """Refused under the id that it had, unless another row bears it."""
    clip = revocation.clip
    if not clip or any(other["clip"] == clip for other in placed):
        clip = clip_id(row.uri, value_digest([row.uri, row.line]))
    digest = revocation.sha256 or None
    return {**_named(row, clip), "status": "refused", "reason": revocation.sentence, "sha256": digest}


def _facts(store: ClipStore, outcome: CutResult) -> Row:
    return dict(read_json(store.entry(outcome.key) / FACTS))


def _copy(
    clip: str,
    row: ManifestRow,
    outcome: CutResult,
    facts: Row,
    source: str,
    storage: Storage,
    store: ClipStore,
    workspace: Workspace,
) -> None:
    targets = {
        VIDEO: workspace.video(clip),
        SPEECH: workspace.speech(clip),
        FACTS: workspace.scratch / STAGE / f"{clip}.json",
    }
    alignment = workspace.alignment(clip)
    alignment.unlink(missing_ok=True)
    if row.alignment is not None:
        with storage.fetch(storage.join(source, row.alignment)) as brought, atomic_path(alignment) as path:
            shutil.copyfile(brought, path)
            manifest_rows(clip, path, facts["samples"] / facts["sample_rate"])
    if not store.fetch(outcome.key, targets):
        raise RuntimeError(f"clip {clip}: its result vanished from {store.root}")


def _named(row: ManifestRow, clip: str) -> Row:
    return {
        **dict.fromkeys(LEDGER_COLUMNS),
        "clip": clip,
        "uri": row.uri,
        "speaker": row.speaker,
        "licence": row.licence,
        "consent": row.consent,
        "split": row.split,
    }


def _short(reason: str) -> str:
    """Without the type name that a worker's failure starts with."""
    kind, _, rest = reason.partition(": ")
    return rest if rest and kind.isidentifier() and kind.endswith("Error") else reason


def _remove_stale(workspace: Workspace, clips: set[str]) -> None:
    for path in workspace.clips.iterdir():
        if path.stem not in clips:
            path.unlink()


def _report(workspace: Workspace, ledger: Ledger, size: int, timings: Mapping[str, float]) -> StageReport:
    table = ledger.table
    refused = table[table["status"] == "refused"]
    usable = table[table["status"] == "ok"]
    frames = int(usable["frames"].sum())
    figures = {
        "sources": len(table),
        "clips": len(usable),
        "refused": len(refused),
        "frames": frames,
        "enlarged": int((usable["crop_size"] < size).sum()),
    }
    reasons = "".join(f"; {row.uri}: {row.reason}" for row in refused.head(5).itertuples())
    summary = f"{len(usable)} of {len(table)} sources became clips ({frames} frames), {len(refused)} refused{reasons}"
    pictures = {"Clips": _picture(workspace, ledger.usable)} if len(usable) else {}
    return StageReport(STAGE, summary, figures, dict(timings), pictures)


def _picture(workspace: Workspace, clips: Sequence[str]) -> Path:
    chosen = [clips[index] for index in sorted(set(np.linspace(0, len(clips) - 1, _SHOWN_CLIPS).astype(int).tolist()))]
    frames = [next(iter_frames(workspace.video(clip))) for clip in chosen]
    path = workspace.stage_report(STAGE) / "clips.png"
    save_png(path, contact_sheet(np.stack(frames), 6))
    return path
