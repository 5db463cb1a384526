"""Commands for footage: params, manifest, ledger, lineage, revoke.

Each command imports what it needs when it runs, so that `cospeech --help` answers at once.
"""

import argparse
from collections import Counter
from pathlib import Path

from cospeech.cli.options import Commands, add_root
from cospeech.cli.registry import registered_exports_of


def add_commands(commands: Commands) -> None:
    """Add the commands of this module to the parser."""
    params = commands.add_parser("params", help="check a parameter file")
    params.add_argument("file", nargs="?", type=Path, default=Path("params.yaml"), help="default: params.yaml")
    params.set_defaults(command=check_params)

    manifest = commands.add_parser("manifest", help="write or extend manifest.csv for a folder of videos")
    manifest.add_argument("folder", type=Path, help="folder of videos; subfolders count too")
    manifest.set_defaults(command=write_manifest)

    ledger = commands.add_parser("ledger", help="show the status of every clip, and the reasons")
    ledger.add_argument("--refused", action="store_true", help="show refused clips only")
    add_root(ledger)
    ledger.set_defaults(command=show_ledger)

    lineage = commands.add_parser("lineage", help="show which models and exports were trained on a clip")
    lineage.add_argument("clip", help="id or uri of the clip, as `cospeech ledger` shows it")
    add_root(lineage)
    lineage.set_defaults(command=show_lineage)

    revoke = commands.add_parser("revoke", help="revoke the consent for a clip: the next run excludes it everywhere")
    revoke.add_argument("clip", help="id or uri of the clip, as `cospeech ledger` shows it")
    revoke.add_argument("--reason", default="", help="recorded in data/revoked.csv")
    add_root(revoke)
    revoke.set_defaults(command=revoke_clip)


def check_params(options: argparse.Namespace) -> int:
    """Check a parameter file."""
    from cospeech.config import load_params

    load_params(options.file)
    print(f"{options.file}: valid, every key is present")
    return 0


def write_manifest(options: argparse.Namespace) -> int:
    """Write or extend a manifest, and say what to fill in."""
    from cospeech.footage.listing import UNKNOWN, list_footage

    listing = list_footage(options.folder)
    print(f"{listing.path}: {len(listing.added)} videos added, {listing.kept} rows unchanged")
    for name in listing.skipped:
        print(f"skipped {name}: its name is not UTF-8; rename it")
    if listing.added:
        print(
            f"Open it, check each speaker, and replace {UNKNOWN!r} in the columns licence and consent: the stage "
            "curate refuses clips whose licence or consent is unknown.\n"
            f"Then set ingest.source in params.yaml to {options.folder.resolve()} and run: dvc repro"
        )
    return 0


def show_ledger(options: argparse.Namespace) -> int:
    """Print the status of every clip, and totals."""
    from cospeech.harness.workspace import Workspace
    from cospeech.provenance.clip_status import STORED_STAGES, clip_states

    clips = clip_states(Workspace(options.root))
    shown = [clip for clip in clips if clip.state == "refused" or not options.refused]
    width = max([len(clip.clip) for clip in shown], default=0)
    for clip in shown:
        reused = f"reused: {', '.join(clip.reused)}" if clip.reused else ""
        print(f"{clip.clip:<{width}}  {clip.state:<11}  {clip.split or '-':<5}  {reused}".rstrip())
        for reason in clip.reasons:
            print(f"    {clip.uri}: {reason}" if clip.status == "refused" else f"    {reason}")
        if clip.notes:
            print(f"    note: {clip.notes}")
    counts = Counter(clip.state for clip in clips)
    print(f"{len(clips)} clips: " + ", ".join(f"{count} {state}" for state, count in counts.most_common()))
    for version, count in Counter(clip.ffmpeg for clip in clips if clip.ffmpeg).items():
        print(f"{count} clips encoded by ffmpeg {version}")
    for stage in STORED_STAGES:
        from_store, computed = sum(stage in clip.reused for clip in clips), sum(stage in clip.made for clip in clips)
        if from_store or computed:
            print(f"{stage}, last run: {from_store} reused, {computed} computed")
    return 0


def show_lineage(options: argparse.Namespace) -> int:
    """Print the models and exports that were trained on a clip."""
    from cospeech.footage.consent import find_revocation, load_revocations
    from cospeech.harness.workspace import Workspace
    from cospeech.provenance.lineage import clips_of, find_clip, known_exports, models_trained_on

    workspace = Workspace(options.root)
    row = find_clip(workspace, options.clip)
    clips = clips_of(workspace, row)
    models = models_trained_on(workspace, clips)
    known = [*known_exports(workspace), *registered_exports_of(options.root)]
    exports = [each for each in known if not each.clips.keys().isdisjoint(clips)]
    print(f"{row['clip']}: {row['uri']}, speaker {row['speaker']}, licence {row['licence']}, consent {row['consent']}")
    if withdrawn := find_revocation(load_revocations(workspace.revoked), row["uri"], row["sha256"] or ""):
        print(f"  {withdrawn.sentence}")
    for model in models:
        print(f"  model   {model.place}: {model.how}")
    for export in exports:
        print(f"  export  {export.name} ({export.place})")
    if not models and not exports:
        print("  no model or export was trained on it")
    return 0


def revoke_clip(options: argparse.Namespace) -> int:
    """Revoke the consent for a clip, and say what to do next."""
    from datetime import date

    from cospeech.harness.workspace import Workspace
    from cospeech.provenance.lineage import retirement_lines, revoke

    workspace = Workspace(options.root)
    row, new = revoke(workspace, options.clip, options.reason, date.today().isoformat())
    print(f"{row['clip']}: " + ("revoked" if new else "already revoked") + f" in {workspace.revoked}")
    for line in retirement_lines(workspace, registered_exports_of(options.root)):
        print(line)
    print(
        "Now run `dvc repro`: it excludes the clip everywhere and retrains the models that were trained on it. Then "
        "delete its remains: the source; .cospeech/store; and run `dvc gc --workspace`, with --cloud for remotes."
    )
    return 0
