"""What learned from a clip: the models of this project by dvc.lock, exports by their provenance.

dvc.lock says which version of data/curated.parquet each model was trained on, and DVC's cache has that version, so the
answer is right for models that are older than today's verdicts.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml

from cospeech.artifacts import Curated, Ledger
from cospeech.footage.consent import Revocation, find_revocation, load_revocations, save_revocations
from cospeech.harness.files import folder_digest, read_json, write_json
from cospeech.harness.workspace import Workspace
from cospeech.provenance.bundle import RECORD

CURATED = "data/curated.parquet"
EXPORT = "models/export"


@dataclass(frozen=True)
class Learner:
    """kind: a model of this project, or an export. place: where it lies, or lay. how: in a few words."""

    kind: Literal["model", "export"]
    name: str
    place: str
    how: str


@dataclass(frozen=True)
class Export:
    """clips: id -> SHA-256 of the source, of all clips that it learned from."""

    name: str
    place: str
    clips: Mapping[str, str]


def find_clip(workspace: Workspace, name: str) -> Mapping[str, Any]:
    """The ledger row whose id or uri is `name`; what it does not state is None.

    Raises:
        ValueError: none, or no ledger.
    """
    table = Ledger.load(workspace.ledger).table
    rows = table[(table["clip"] == name) | (table["uri"] == name)].to_dict("records")
    if not rows:
        near = [clip for clip in table["clip"] if name.lower() in clip.lower()]
        hint = f"; did you mean {', '.join(near[:5])}?" if near else "; `cospeech ledger` lists all"
        raise ValueError(f"{name}: no clip of that id or uri in {workspace.ledger}{hint}")
    return {str(key): None if pd.isna(value) else value for key, value in rows[0].items()}


def clips_of(workspace: Workspace, row: Mapping[str, Any]) -> list[str]:
    """Ids of all clips of the same bytes as a ledger row, its own first: a source may be listed more than once."""
    table = Ledger.load(workspace.ledger).table
    twins = table.loc[table["sha256"] == row["sha256"], "clip"] if row["sha256"] else []
    return list(dict.fromkeys([row["clip"], *twins]))


def revoke(workspace: Workspace, name: str, reason: str, day: str) -> tuple[Mapping[str, Any], bool]:
    """Mark a clip in data/revoked.csv; its ledger row, and whether that is new."""
    row = find_clip(workspace, name)
    known, digest = load_revocations(workspace.revoked), row["sha256"]
    if find_revocation(known, row["uri"], digest or ""):
        return row, False
    mark = Revocation(row["clip"], row["uri"], digest or "", day, " ".join(reason.split()))
    save_revocations(workspace.revoked, [*known, mark])
    return row, True


def models_that_learned(workspace: Workspace, clips: Collection[str]) -> list[Learner]:
    """Models under models/ that were trained on one of the clips, or from a model that was; in the order of dvc.lock.

    Raises:
        ValueError: the verdicts that a model was trained on are gone, so that nothing can be said.
    """
    lock = _lock(workspace)
    makers = {out["path"]: stage for stage, entry in lock.items() for out in entry.get("outs", [])}
    trained: dict[str, str] = {}  # stage -> how; in topological order, as dvc writes its lock while it runs
    for stage in _upstream_first(lock, makers):
        entry = lock[stage]
        outs = [out["path"] for out in entry.get("outs", [])]
        models = [path for path in outs if path.startswith("models/") and path != EXPORT]
        if models and not _training_clips(workspace, entry).isdisjoint(clips):
            trained[stage] = "trained on it"
        else:
            through = [makers[dep["path"]] for dep in entry.get("deps", []) if makers.get(dep["path"]) in trained]
            if through and outs:
                trained[stage] = f"from {through[0]}, which learned from it"
    return [
        Learner("model", Path(out["path"]).name, out["path"], trained[stage])
        for stage in trained
        for out in lock[stage]["outs"]
        if out["path"].startswith("models/") and out["path"] != EXPORT
    ]


def _lock(workspace: Workspace) -> dict[str, Any]:
    path = workspace.root / "dvc.lock"
    return dict(yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]) if path.is_file() else {}


def _upstream_first(lock: Mapping[str, Any], makers: Mapping[str, str]) -> list[str]:
    order: list[str] = []

    def visit(stage: str) -> None:
        if stage in order:
            return
        for dep in lock[stage].get("deps", []):
            if dep["path"] in makers and makers[dep["path"]] != stage:
                visit(makers[dep["path"]])
        order.append(stage)

    for stage in lock:
        visit(stage)
    return order


def _training_clips(workspace: Workspace, entry: Mapping[str, Any]) -> set[str]:
    """Of one stage's last run; empty where it does not read the verdicts."""
    digest = next((dep["md5"] for dep in entry.get("deps", []) if dep["path"] == CURATED), None)
    if digest is None:
        return set()
    cached = workspace.root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    if not cached.is_file():
        raise ValueError(
            f"{cached}: the verdicts that {entry['cmd']} worked with are no longer in DVC's cache; fetch them "
            "(dvc fetch), or train anew (dvc repro)"
        )
    return set(Curated.load(cached).clips("train"))


def record_export(workspace: Workspace, folder: Path) -> None:
    """Remember what an export learned from, for when it has been given away and overwritten here."""
    record = read_json(folder / RECORD)
    digest = folder_digest(folder)[:12]
    write_json(workspace.exports / f"{record['name']}-{digest}.json", record)


def known_exports(workspace: Workspace) -> list[Export]:
    """The export that lies here, and all that were ever made here."""
    found = []
    current = workspace.model("export")
    here = folder_digest(current)[:12] if (current / RECORD).is_file() else ""
    if here:
        found.append(read_export(current / RECORD, EXPORT))
    for path in sorted(workspace.exports.glob("*.json")) if workspace.exports.is_dir() else []:
        if not (here and path.stem.endswith(here)):
            found.append(read_export(path, f"made here earlier, {path.stem}"))
    return found


def read_export(record: Path, place: str) -> Export:
    return export_of(read_json(record), place)


def export_of(record: Mapping[str, Any], place: str) -> Export:
    clips = {row["clip"]: row["sha256"] or "" for row in record["training_clips"]}
    return Export(record["name"], place, clips)


def to_retire(exports: Iterable[Export], revocations: Iterable[Revocation]) -> list[tuple[Export, list[str]]]:
    """Exports that learned from clips whose consent was taken back, each with those clips."""
    hashes = {each.sha256 for each in revocations if each.sha256}
    names = {each.clip for each in revocations}
    found = []
    for export in exports:
        clips = [clip for clip, digest in export.clips.items() if clip in names or digest in hashes]
        if clips:
            found.append((export, clips))
    return found


def retirement_lines(workspace: Workspace, more: Iterable[Export] = ()) -> list[str]:
    """A sentence an export that must no longer be used. `more`: exports kept elsewhere."""
    exports = [*known_exports(workspace), *more]
    return [
        f"retire {export.name} ({export.place}): it learned from {', '.join(clips)}, whose consent was revoked"
        for export, clips in to_retire(exports, load_revocations(workspace.revoked))
    ]
