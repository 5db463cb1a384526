"""Footage and what became of it: params, manifest, ledger, lineage, revoke.

Each command imports what it needs itself, so that `cospeech --help` answers at once.
"""

import argparse
from collections import Counter
from pathlib import Path

from cospeech.cli.options import Commands, add_root
from cospeech.cli.registry import registered_exports_of


def add_commands(commands: Commands) -> None:
    params = commands.add_parser("params", help="check a parameter file")
    params.add_argument("file", nargs="?", type=Path, default=Path("params.yaml"), help="default: params.yaml")
    params.set_defaults(command=check_params)

    manifest = commands.add_parser("manifest", help="write or extend manifest.csv for a folder of videos")
    manifest.add_argument("folder", type=Path)
    manifest.set_defaults(command=write_manifest)

    ledger = commands.add_parser("ledger", help="show what became of every clip, and why")
    ledger.add_argument("--refused", action="store_true", help="only the refused ones")
    add_root(ledger)
    ledger.set_defaults(command=show_ledger)

    lineage = commands.add_parser("lineage", help="which models and exports learned from a clip")
    lineage.add_argument("clip", help="its id or uri, as `cospeech ledger` shows them")
    add_root(lineage)
    lineage.set_defaults(command=show_lineage)

    revoke = commands.add_parser("revoke", help="take consent back: the next run leaves the clip out of everything")
    revoke.add_argument("clip", help="its id or uri, as `cospeech ledger` shows them")
    revoke.add_argument("--reason", default="", help="kept in data/revoked.csv")
    add_root(revoke)
    revoke.set_defaults(command=revoke_clip)


def check_params(options: argparse.Namespace) -> int:
    from cospeech.config import load_params

    load_params(options.file)
    print(f"{options.file}: every key is there and valid")
    return 0


def write_manifest(options: argparse.Namespace) -> int:
    from cospeech.footage.listing import UNKNOWN, list_footage

    listing = list_footage(options.folder)
    print(f"{listing.path}: {len(listing.added)} videos added, {listing.kept} rows kept as they were")
    if listing.added:
        print(
            f"Now open it: check each speaker, and replace {UNKNOWN!r} under licence and consent. The stage curate "
            "refuses clips whose licence or consent is unknown.\n"
            f"Then set ingest.source in params.yaml to {options.folder.resolve()} and run: dvc repro"
        )
    return 0


def show_ledger(options: argparse.Namespace) -> int:
    from cospeech.harness.workspace import Workspace
    from cospeech.provenance.clip_status import STORED_STAGES, clip_overview

    clips = clip_overview(Workspace(options.root))
    shown = [clip for clip in clips if clip.state == "refused" or not options.refused]
    width = max([len(clip.clip) for clip in shown], default=0)
    for clip in shown:
        taken = f"reused: {', '.join(clip.reused)}" if clip.reused else ""
        print(f"{clip.clip:<{width}}  {clip.state:<11}  {clip.split or '-':<5}  {taken}".rstrip())
        for reason in clip.reasons:
            print(f"    {clip.uri}: {reason}" if clip.status == "refused" else f"    {reason}")
    counts = Counter(clip.state for clip in clips)
    print(f"{len(clips)} clips: " + ", ".join(f"{count} {state}" for state, count in counts.most_common()))
    for version, count in Counter(clip.ffmpeg for clip in clips if clip.ffmpeg).items():
        print(f"{count} of them encoded by ffmpeg {version}")
    for stage in STORED_STAGES:
        reused, made = sum(stage in clip.reused for clip in clips), sum(stage in clip.made for clip in clips)
        if reused or made:
            print(f"{stage}, last run: {reused} reused, {made} made")
    return 0


def show_lineage(options: argparse.Namespace) -> int:
    from cospeech.footage.consent import find_revocation, load_revocations
    from cospeech.harness.workspace import Workspace
    from cospeech.provenance.lineage import clips_of, find_clip, known_exports, models_that_learned

    workspace = Workspace(options.root)
    row = find_clip(workspace, options.clip)
    clips = clips_of(workspace, row)
    models = models_that_learned(workspace, clips)
    known = [*known_exports(workspace), *registered_exports_of(options.root)]
    exports = [each for each in known if not each.clips.keys().isdisjoint(clips)]
    print(f"{row['clip']}: {row['uri']}, speaker {row['speaker']}, licence {row['licence']}, consent {row['consent']}")
    if withdrawn := find_revocation(load_revocations(workspace.revoked), row["uri"], row["sha256"] or ""):
        print(f"  {withdrawn.sentence}")
    for learner in models:
        print(f"  model   {learner.place}: {learner.how}")
    for export in exports:
        print(f"  export  {export.name} ({export.place})")
    if not models and not exports:
        print("  no model or export learned from it")
    return 0


def revoke_clip(options: argparse.Namespace) -> int:
    from datetime import date

    from cospeech.harness.workspace import Workspace
    from cospeech.provenance.lineage import retirement_lines, revoke

    workspace = Workspace(options.root)
    row, new = revoke(workspace, options.clip, options.reason, date.today().isoformat())
    print(f"{row['clip']}: " + ("revoked" if new else "was revoked before") + f", in {workspace.revoked}")
    for line in retirement_lines(workspace, registered_exports_of(options.root)):
        print(line)
    print(
        "Run `dvc repro` now: it leaves the clip out of everything and trains anew what learned from it. Then delete "
        "what is left of it: the source; .cospeech/store; `dvc gc --workspace`, here and on remotes (--cloud)."
    )
    return 0
