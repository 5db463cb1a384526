"""The model at work: generate, serve, verify.

Each command imports what it needs itself, so that `cospeech --help` answers at once.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cospeech.cli.options import Commands, add_device, add_root

if TYPE_CHECKING:
    from cospeech.harness.workspace import Workspace
    from cospeech.provenance.identity import Identity


def add_commands(commands: Commands) -> None:
    _add_generate(commands.add_parser("generate", help="a voice and one picture of a person in, talking video out"))
    _add_serve(commands.add_parser("serve", help="a page to talk through a picture, live"))
    verify = commands.add_parser("verify", help="check the signed provenance of a video or an exported model")
    verify.add_argument("path", type=Path, help="an mp4, or the folder of an export")
    verify.set_defaults(command=verify_provenance)


def _add_generate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--audio", type=Path, required=True, help="the voice: any sound file, any length")
    parser.add_argument("--image", type=Path, required=True, help="one person from the hips up, hands to be seen")
    parser.add_argument("--out", type=Path, required=True, metavar="MP4", help="the video to write")
    parser.add_argument("--pose", type=Path, metavar="CLIP", help="a video of somebody to move like")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="an export; default: models/export")
    parser.add_argument("--seed", type=int, default=0, help="another one, other gestures; default: 0")
    add_device(parser)
    add_root(parser)
    parser.set_defaults(command=generate_video)


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="an export; default: models/export")
    parser.add_argument("--people", type=Path, metavar="FOLDER", help="pictures to pick from; default: data/demo")
    parser.add_argument("--host", default="127.0.0.1", help="others than this machine's own need a token")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--token", default=os.environ.get("COSPEECH_TOKEN"), help="visitors need it; or COSPEECH_TOKEN")
    parser.add_argument("--certificate", type=Path, metavar="PEM", help="for https: a microphone elsewhere needs it")
    parser.add_argument("--key", type=Path, metavar="PEM")
    parser.add_argument("--talks", type=int, help="at the same time; others wait. Default: one for two cores")
    chunk = "latent frames drawn at once; default: 4, or as many as the export draws if those are fewer"
    parser.add_argument("--chunk", type=int, metavar="FRAMES", help=chunk)
    parser.add_argument("--longest", type=float, default=300, metavar="SECONDS", help="of a talk; default: 300")
    add_device(parser)
    add_root(parser)
    parser.set_defaults(command=serve_page)


def generate_video(options: argparse.Namespace) -> int:
    import torch
    from tqdm import tqdm

    from cospeech.harness.workspace import Workspace
    from cospeech.inference.generate import Request, generate
    from cospeech.utils.allocator import keep_freed_memory
    from cospeech.utils.device import pick_device

    workspace, device = Workspace(options.root), pick_device(options.device)
    model = options.model or workspace.model("export")
    request = Request(options.audio, options.image, options.out, options.pose, model, options.seed, device)
    torch.set_num_threads(max(1, torch.get_num_threads() // 2))  # two chunks are drawn at a time
    keep_freed_memory()
    frames = generate(
        request,
        _signer(workspace),
        lambda total: tqdm(total=total, unit="frame", desc=str(options.out), disable=None),
        lambda note: print(f"note: {note}", file=sys.stderr),
    )
    print(f"{options.out}: {frames} frames")
    return 0


def serve_page(options: argparse.Namespace) -> int:
    from cospeech.footage.consent import load_revocations
    from cospeech.harness.process_pool import available_cores
    from cospeech.harness.workspace import Workspace
    from cospeech.inference.speaker import load
    from cospeech.provenance.xmp import describe_origin
    from cospeech.serving.auth import check_certificate, check_token
    from cospeech.serving.limits import Limits
    from cospeech.serving.portraits import offered_people
    from cospeech.serving.server import Address, serve
    from cospeech.utils.device import pick_device

    workspace, device = Workspace(options.root), pick_device(options.device)
    address = Address(options.host, options.port, options.certificate, options.key)
    check_token(address.host, options.token)  # before the models are read
    check_certificate(address.certificate, address.key)
    demo = options.root / "data/demo"
    folder = options.people or (demo if demo.is_dir() else None)
    model = options.model or workspace.model("export")
    origin = describe_origin(model)
    serve(
        load(model, device),
        offered_people(folder, load_revocations(workspace.revoked)) if folder else [],
        address,
        options.token,
        max(1, available_cores() // 2) if options.talks is None else options.talks,
        options.chunk,
        Limits(voice_seconds=options.longest, hold_seconds=3 * options.longest),
        origin,
        lambda line: print(line, flush=True),
    )
    return 0


def _signer(workspace: "Workspace") -> "Identity | None":
    """As params.yaml says; where there is none, the folder's own key."""
    from cospeech.config import load_params
    from cospeech.provenance.identity import load_identity

    file = workspace.root / "params.yaml"
    if not file.is_file():
        return load_identity(workspace.signing, None, None)
    section = load_params(file).provenance
    return load_identity(workspace.signing, section.key, section.certificates) if section.sign else None


def verify_provenance(options: argparse.Namespace) -> int:
    if options.path.is_dir():
        from cospeech.provenance.bundle import check_bundle

        checked = check_bundle(options.path)
        told, signer, problems = f"{len(checked.claims['training_clips'])} clips", checked.signer, checked.problems
    else:
        from cospeech.provenance.video import read_credentials

        found = read_credentials(options.path)
        if found is None:
            raise ValueError(f"{options.path}: carries no content credentials")
        if "reference" not in found.claims:
            raise ValueError(f"{options.path}: signed by {found.signer}, but not drawn by cospeech")
        told, signer, problems = f"picture of {found.claims['reference']['clip']}", found.signer, found.problems
    for problem in problems:
        print(f"{options.path}: {problem}", file=sys.stderr)
    if not problems:
        print(f"{options.path}: whole and signed by {signer}; made from {told}")
    return 1 if problems else 0
