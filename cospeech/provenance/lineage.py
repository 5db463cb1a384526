"""Find the models and exports that were trained on a clip: models by dvc.lock, exports by their provenance.

dvc.lock states which version of data/curated.parquet each model was trained on, and DVC's cache holds that version, so
the answer also holds for models that are older than today's verdicts.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from cospeech.artifacts import Curated, Ledger
from cospeech.footage.consent import Revocation, find_revocation, load_revocations, save_revocations
from cospeech.harness.files import folder_digest, read_json, write_json
from cospeech.harness.workspace import Workspace
from cospeech.provenance.bundle import RECORD
from cospeech.utils.json_types import JSONObject, JSONValue

CURATED = "data/curated.parquet"
EXPORT = "models/export"


@dataclass(frozen=True)
class TrainedModel:
    """A model of this project that was trained on a clip. place: its path. how: the relation, in words."""

    name: str
    place: str
    how: str


@dataclass(frozen=True)
class Export:
    """An exported model. place: where it lies or lay. clips: id -> SHA-256 of the source, of all training clips."""

    name: str
    place: str
    clips: Mapping[str, str]


def find_clip(workspace: Workspace, name: str) -> Mapping[str, JSONValue]:
    """Return the ledger row whose id or uri is `name`; missing values are None.

    Raises:
        ValueError: there is no such row, or no ledger.
    """
    table = Ledger.load(workspace.ledger).table
    rows = table[(table["clip"] == name) | (table["uri"] == name)].to_dict("records")
    if not rows:
        near = [clip for clip in table["clip"] if name.lower() in clip.lower()]
        hint = f"; did you mean {', '.join(near[:5])}?" if near else "; `cospeech ledger` lists all"
        raise ValueError(f"{name}: no clip with that id or uri in {workspace.ledger}{hint}")
    return {str(key): None if pd.isna(value) else value for key, value in rows[0].items()}


def clips_of(workspace: Workspace, row: Mapping[str, JSONValue]) -> list[str]:
    """Return the ids of all clips with the same bytes as a ledger row, its own first; a source may be listed twice."""
    table = Ledger.load(workspace.ledger).table
    twins = table.loc[table["sha256"] == row["sha256"], "clip"] if row["sha256"] else []
    return list(dict.fromkeys([row["clip"], *twins]))


def revoke(workspace: Workspace, name: str, reason: str, day: str) -> tuple[Mapping[str, JSONValue], bool]:
    """Add a clip to data/revoked.csv; return its ledger row, and whether it was added.

    Args:
        name: id or uri of the clip.
        day: ISO date.

    Raises:
        ValueError: as `find_clip`.
    """
    row = find_clip(workspace, name)
    known, digest = load_revocations(workspace.revoked), row["sha256"]
    if find_revocation(known, row["uri"], digest or ""):
        return row, False
    mark = Revocation(row["clip"], row["uri"], digest or "", day, " ".join(reason.split()))
    save_revocations(workspace.revoked, [*known, mark])
    return row, True


def models_trained_on(workspace: Workspace, clips: Collection[str]) -> list[TrainedModel]:
    """Return the models under models/ that were trained on one of the clips, or derive from one, in dependency order.

    Raises:
        ValueError: the verdicts that a model was trained on are no longer in DVC's cache.
    """
    lock = _lock(workspace)
    makers = {out["path"]: stage for stage, entry in lock.items() for out in entry.get("outs", [])}
    trained: dict[str, str] = {}  # stage -> how
    for stage in _upstream_first(lock, makers):
        entry = lock[stage]
        outs = [out["path"] for out in entry.get("outs", [])]
        models = [path for path in outs if path.startswith("models/") and path != EXPORT]
        if models and not _training_clips(workspace, entry).isdisjoint(clips):
            trained[stage] = "trained on it"
        else:
            through = [makers[dep["path"]] for dep in entry.get("deps", []) if makers.get(dep["path"]) in trained]
            if through and outs:
                trained[stage] = f"derived from {through[0]}, which was trained on it"
    return [
        TrainedModel(Path(out["path"]).name, out["path"], trained[stage])
        for stage in trained
        for out in lock[stage]["outs"]
        if out["path"].startswith("models/") and out["path"] != EXPORT
    ]


def _lock(workspace: Workspace) -> JSONObject:
    path = workspace.root / "dvc.lock"
    return dict(yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]) if path.is_file() else {}


def _upstream_first(lock: Mapping[str, JSONValue], makers: Mapping[str, str]) -> list[str]:
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


def _training_clips(workspace: Workspace, entry: Mapping[str, JSONValue]) -> set[str]:
    """Return the training clips of a stage's last run; empty if it does not read the verdicts."""
    digest = next((dep["md5"] for dep in entry.get("deps", []) if dep["path"] == CURATED), None)
    if digest is None:
        return set()
    from dvc.repo import Repo  # slow to import, and only here needed

    with Repo(str(workspace.root)) as repo:
        cache = repo.cache.local
        if not cache.exists(digest):
            raise ValueError(
                f"{cache.path}: DVC's cache no longer holds the verdicts {digest} that {entry['cmd']} used; fetch them "
                "(dvc fetch), or train again (dvc repro)"
            )
        return set(Curated.load(Path(cache.oid_to_path(digest))).clips("train"))


def record_export(workspace: Workspace, folder: Path) -> None:
    """Keep an export's provenance, for when it has been handed out and overwritten here."""
    record = read_json(folder / RECORD)
    digest = folder_digest(folder)[:12]
    write_json(workspace.exports / f"{record['name']}-{digest}.json", record)


def known_exports(workspace: Workspace) -> list[Export]:
    """Return the present export and all earlier ones of this project."""
    found = []
    current = workspace.model("export")
    here = folder_digest(current)[:12] if (current / RECORD).is_file() else ""
    if here:
        found.append(read_export(current / RECORD, EXPORT))
    for path in sorted(workspace.exports.glob("*.json")) if workspace.exports.is_dir() else []:
        if not (here and path.stem.endswith(here)):
            found.append(read_export(path, f"earlier export {path.stem}"))
    return found


def read_export(record: Path, place: str) -> Export:
    """Read an export's provenance.json."""
    return parse_export(read_json(record), place)


def parse_export(record: Mapping[str, JSONValue], place: str) -> Export:
    """Take name and training clips from an export's provenance."""
    clips = {row["clip"]: row["sha256"] or "" for row in record["training_clips"]}
    return Export(record["name"], place, clips)


def exports_to_retire(exports: Iterable[Export], revocations: Iterable[Revocation]) -> list[tuple[Export, list[str]]]:
    """Return the exports that were trained on clips whose consent was revoked, each with those clips."""
    hashes = {each.sha256 for each in revocations if each.sha256}
    names = {each.clip for each in revocations}
    found = []
    for export in exports:
        clips = [clip for clip, digest in export.clips.items() if clip in names or digest in hashes]
        if clips:
            found.append((export, clips))
    return found


def retirement_lines(workspace: Workspace, more: Iterable[Export] = ()) -> list[str]:
    """Return one sentence per export that must no longer be used. more: exports that are kept elsewhere."""
    exports = [*known_exports(workspace), *more]
    return [
        f"retire {export.name} ({export.place}): it was trained on {', '.join(clips)}, whose consent was revoked"
        for export, clips in exports_to_retire(exports, load_revocations(workspace.revoked))
    ]
