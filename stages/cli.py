"""`cospeech`: the small jobs around the pipeline. `dvc repro` runs it."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 an error that was explained, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        sys.stderr.close()
        return 0
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cospeech", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    params = commands.add_parser("params", help="check a parameter file")
    params.add_argument("file", nargs="?", type=Path, default=Path("params.yaml"), help="default: params.yaml")
    params.set_defaults(command=check_params)

    manifest = commands.add_parser("manifest", help="write or extend manifest.csv for a folder of videos")
    manifest.add_argument("folder", type=Path)
    manifest.set_defaults(command=write_manifest)

    ledger = commands.add_parser("ledger", help="show what became of every clip, and why")
    ledger.add_argument("--refused", action="store_true", help="only the refused ones")
    ledger.add_argument("--root", type=Path, default=Path(), metavar="FOLDER", help="project folder; default: this one")
    ledger.set_defaults(command=show_ledger)
    return parser


# Each command imports what it needs itself, so that `cospeech --help` answers at once.


def check_params(options: argparse.Namespace) -> int:
    from stages.params import load_params

    load_params(options.file)
    print(f"{options.file}: every key is there and valid")
    return 0


def write_manifest(options: argparse.Namespace) -> int:
    from stages.lib.footage.listing import UNKNOWN, list_footage

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
    from stages.lib.overview import STORED_STAGES, clip_overview
    from stages.lib.workspace import Workspace

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
    for stage in STORED_STAGES:
        reused, made = sum(stage in clip.reused for clip in clips), sum(stage in clip.made for clip in clips)
        if reused or made:
            print(f"{stage}, last run: {reused} reused, {made} made")
    return 0


if __name__ == "__main__":
    sys.exit(main())
