"""`cospeech`: the small jobs around the pipeline. `dvc repro` runs it."""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stages.lib.talking.inputs import InputError

if TYPE_CHECKING:
    from stages.lib.lineage import Export
    from stages.lib.provenance.identity import Identity
    from stages.lib.registry.versions import Registry
    from stages.lib.workspace import Workspace


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 an error that was explained, 2 wrong usage or input."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        sys.stderr.close()
        return 0
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1


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
    _add_root(ledger)
    ledger.set_defaults(command=show_ledger)

    lineage = commands.add_parser("lineage", help="which models and exports learned from a clip")
    lineage.add_argument("clip", help="its id or uri, as `cospeech ledger` shows them")
    lineage.add_argument(
        "--root", type=Path, default=Path(), metavar="FOLDER", help="project folder; default: this one"
    )
    lineage.set_defaults(command=show_lineage)

    revoke = commands.add_parser("revoke", help="take consent back: the next run leaves the clip out of everything")
    revoke.add_argument("clip", help="its id or uri, as `cospeech ledger` shows them")
    revoke.add_argument("--reason", default="", help="kept in data/revoked.csv")
    _add_root(revoke)
    revoke.set_defaults(command=revoke_clip)

    registry = commands.add_parser("registry", help="show promoted models, and why each was promoted or not")
    _add_root(registry)
    registry.set_defaults(command=show_registry)

    promote = commands.add_parser("promote", help="put models/export into production by hand, past the gate")
    promote.add_argument("--reason", required=True, help="kept in the registry")
    _add_root(promote)
    promote.set_defaults(command=promote_by_hand)

    rollback = commands.add_parser("rollback", help="put the version before into production again")
    rollback.add_argument("--reason", default="by hand", help="kept in the registry")
    _add_root(rollback)
    rollback.set_defaults(command=take_back)

    fetch = commands.add_parser("fetch", help="copy the model in production out of the registry")
    fetch.add_argument("folder", type=Path, help="where it appears, whole or not at all")
    fetch.add_argument("--version", default=None, help="such as v0003; default: the one in production")
    _add_root(fetch)
    fetch.set_defaults(command=fetch_model)

    generate = commands.add_parser("generate", help="a voice and one picture of a person in, talking video out")
    generate.add_argument("--audio", type=Path, required=True, help="the voice: any sound file, any length")
    generate.add_argument("--image", type=Path, required=True, help="one person from the hips up, hands to be seen")
    generate.add_argument("--out", type=Path, required=True, metavar="MP4", help="the video to write")
    generate.add_argument("--pose", type=Path, metavar="CLIP", help="a video of somebody to move like")
    generate.add_argument("--model", type=Path, metavar="FOLDER", help="an export; default: models/export")
    generate.add_argument("--seed", type=int, default=0, help="another one, other gestures; default: 0")
    _add_root(generate)
    generate.set_defaults(command=generate_video)

    _add_serve(commands.add_parser("serve", help="a page to talk through a picture, live"))

    verify = commands.add_parser("verify", help="check the signed provenance of a video or an exported model")
    verify.add_argument("path", type=Path, help="an mp4, or the folder of an export")
    verify.set_defaults(command=verify_provenance)
    return parser


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="an export; default: models/export")
    parser.add_argument("--people", type=Path, metavar="FOLDER", help="pictures to pick from; default: data/demo")
    parser.add_argument("--host", default="127.0.0.1", help="others than this machine's own need a token")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--token", default=os.environ.get("COSPEECH_TOKEN"), help="visitors need it; or COSPEECH_TOKEN")
    parser.add_argument("--certificate", type=Path, metavar="PEM", help="for https: a microphone elsewhere needs it")
    parser.add_argument("--key", type=Path, metavar="PEM")
    parser.add_argument("--talks", type=int, help="at the same time; others wait. Default: one for two cores")
    parser.add_argument("--longest", type=float, default=300, metavar="SECONDS", help="of a talk; default: 300")
    _add_root(parser)
    parser.set_defaults(command=serve_page)


def _add_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", type=Path, default=Path(), metavar="FOLDER", help="project folder; default: this one")


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


def show_lineage(options: argparse.Namespace) -> int:
    from stages.lib.consent import load_revocations, revoked
    from stages.lib.lineage import find_clip, known_exports, models_that_learned
    from stages.lib.workspace import Workspace

    workspace = Workspace(options.root)
    row = find_clip(workspace, options.clip)
    models = models_that_learned(workspace, row["clip"])
    known = [*known_exports(workspace), *_registered(options.root)]
    exports = [each for each in known if row["clip"] in each.clips]
    print(f"{row['clip']}: {row['uri']}, speaker {row['speaker']}, licence {row['licence']}, consent {row['consent']}")
    if withdrawn := revoked(load_revocations(workspace.revoked), row["uri"], str(row["sha256"] or "")):
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

    from stages.lib.lineage import retirement_lines, revoke
    from stages.lib.workspace import Workspace

    workspace = Workspace(options.root)
    row, new = revoke(workspace, options.clip, options.reason, date.today().isoformat())
    print(f"{row['clip']}: " + ("revoked" if new else "was revoked before") + f", in {workspace.revoked}")
    for line in retirement_lines(workspace, _registered(options.root)):
        print(line)
    print(
        "Run `dvc repro` now: it leaves the clip out of everything and trains anew what learned from it. Then delete "
        "what is left of it: the source; .cospeech/store; `dvc gc --workspace`, here and on remotes (--cloud)."
    )
    return 0


def _registry(root: Path) -> "Registry":
    from stages.lib.registry.versions import Registry
    from stages.params import load_params

    section = load_params(root / "params.yaml").registry
    return Registry.at(section.location, section.endpoint_url, root)


def _registered(root: Path) -> "list[Export]":
    """Promoted versions; none where the folder has no params.yaml, and so no registry."""
    from stages.lib.registry.service import registered_exports

    return registered_exports(_registry(root)) if (root / "params.yaml").is_file() else []


def show_registry(options: argparse.Namespace) -> int:
    registry = _registry(options.root)
    state = registry.state()
    for entry in state.history:
        version = entry["version"] or "-"
        print(f"{entry['when']}  {version:<6}  {entry['action']}: {entry['reason']}")
    print(f"in production: {state.production or 'nothing'} ({registry.location})")
    return 0


def promote_by_hand(options: argparse.Namespace) -> int:
    from stages.lib.registry.service import promote_export
    from stages.lib.workspace import Workspace

    reason = f"by hand: {options.reason}"
    print(f"in production: {promote_export(_registry(options.root), Workspace(options.root), reason, {})}")
    return 0


def take_back(options: argparse.Namespace) -> int:
    from stages.lib.registry.service import roll_back
    from stages.lib.workspace import Workspace

    left, taken = roll_back(_registry(options.root), Workspace(options.root), options.reason)
    print(f"in production: {taken}, no longer {left}; the gate will not let {left} in again")
    return 0


def fetch_model(options: argparse.Namespace) -> int:
    registry = _registry(options.root)
    version = options.version or registry.state().production
    if version is None:
        raise ValueError(f"{registry.location}: no model is in production")
    registry.fetch(version, options.folder)
    print(f"{version}: {options.folder}")
    return 0


def generate_video(options: argparse.Namespace) -> int:
    import torch
    from tqdm import tqdm

    from stages.lib.talking.generate import Request, generate
    from stages.lib.workspace import Workspace

    workspace = Workspace(options.root)
    model = options.model or workspace.model("export")
    request = Request(options.audio, options.image, options.out, options.pose, model, options.seed)
    torch.set_num_threads(max(1, torch.get_num_threads() // 2))  # two chunks are drawn at a time
    frames = generate(
        request,
        _signer(workspace),
        lambda total: tqdm(total=total, unit="frame", desc=str(options.out), disable=None),
        lambda note: print(f"note: {note}", file=sys.stderr),
    )
    print(f"{options.out}: {frames} frames")
    return 0


def serve_page(options: argparse.Namespace) -> int:
    from stages.lib.consent import load_revocations
    from stages.lib.parallel import available_cores
    from stages.lib.serving.guard import check_token
    from stages.lib.serving.limits import Limits
    from stages.lib.serving.offered import offered_people
    from stages.lib.serving.server import Address, serve
    from stages.lib.speaker import load
    from stages.lib.workspace import Workspace

    workspace = Workspace(options.root)
    address = Address(options.host, options.port, options.certificate, options.key)
    check_token(address.host, options.token)  # before the models are read
    demo = options.root / "data/demo"
    folder = options.people or (demo if demo.is_dir() else None)
    serve(
        load(options.model or workspace.model("export")),
        offered_people(folder, load_revocations(workspace.revoked)) if folder else [],
        address,
        options.token,
        options.talks or max(1, available_cores() // 2),
        Limits(voice_seconds=options.longest, hold_seconds=3 * options.longest),
        lambda line: print(line, flush=True),
    )
    return 0


def _signer(workspace: "Workspace") -> "Identity | None":
    """As params.yaml says; where there is none, the folder's own key."""
    from stages.lib.provenance.identity import load_identity
    from stages.params import load_params

    file = workspace.root / "params.yaml"
    if not file.is_file():
        return load_identity(workspace.signing, None, None)
    section = load_params(file).provenance
    return load_identity(workspace.signing, section.key, section.certificates) if section.sign else None


def verify_provenance(options: argparse.Namespace) -> int:
    if options.path.is_dir():
        from stages.lib.provenance.bundle import check_bundle

        checked = check_bundle(options.path)
        told, signer, problems = f"{len(checked.claims['training_clips'])} clips", checked.signer, checked.problems
    else:
        from stages.lib.provenance.video import read_credentials

        found = read_credentials(options.path)
        if found is None:
            raise ValueError(f"{options.path}: carries no content credentials")
        told, signer, problems = f"picture of {found.claims['reference']['clip']}", found.signer, found.problems
    for problem in problems:
        print(f"{options.path}: {problem}", file=sys.stderr)
    if not problems:
        print(f"{options.path}: whole and signed by {signer}; made from {told}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
