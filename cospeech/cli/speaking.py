"""Commands that run an exported model: generate, serve, verify.

Each command imports what it needs when it runs, so that `cospeech --help` answers at once.
"""

import argparse
import ipaddress
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cospeech.cli.options import Commands, add_device, add_root

if TYPE_CHECKING:
    from cospeech.harness.workspace import Workspace
    from cospeech.provenance.identity import Identity


def add_commands(commands: Commands) -> None:
    """Add the commands of this module to the parser."""
    _add_generate(commands.add_parser("generate", help="generate a talking video from a voice and one picture"))
    _add_serve(commands.add_parser("serve", help="serve a web page on which a picture says what you say, live"))
    verify = commands.add_parser("verify", help="verify the signed provenance of a video or an export")
    verify.add_argument("path", type=Path, help="mp4 file, or folder of an export")
    verify.add_argument(
        "--signer",
        type=_fingerprint,
        metavar="FINGERPRINT",
        help="SHA-256 of the certificate that must have signed: 64 hex digits, with or without colons",
    )
    verify.set_defaults(command=verify_provenance)


def _add_generate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--audio", type=Path, required=True, help="the voice: any sound file of any length")
    image = "picture of one person from the hips up, with both hands visible"
    parser.add_argument("--image", type=Path, required=True, help=image)
    parser.add_argument("--out", type=Path, required=True, metavar="MP4", help="video to write")
    parser.add_argument("--pose", type=Path, metavar="CLIP", help="video whose motion the person follows")
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="folder of an export; default: models/export")
    parser.add_argument("--seed", type=int, default=0, help="random seed; changes the gestures; default: 0")
    add_device(parser)
    add_root(parser)
    parser.set_defaults(command=generate_video)


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="folder of an export; default: models/export")
    people = "folder of pictures, or of clips with a manifest, to choose from; default: data/demo"
    parser.add_argument("--people", type=Path, metavar="FOLDER", help=people)
    host = "address to listen on; default: 127.0.0.1; one that others can reach needs --token"
    parser.add_argument("--host", default="127.0.0.1", help=host)
    parser.add_argument("--port", type=int, default=8000, help="default: 8000")
    asked = "secret that visitors must enter; default: the environment variable COSPEECH_TOKEN"
    parser.add_argument("--token", default=os.environ.get("COSPEECH_TOKEN"), help=asked)
    certificate = "certificate for https; browsers on other machines give the microphone only over https"
    parser.add_argument("--certificate", type=Path, metavar="PEM", help=certificate)
    parser.add_argument("--key", type=Path, metavar="PEM", help="private key of the certificate, if it is a file apart")
    proxy = "IP address of a reverse proxy, which limits each visitor itself; see docs/serving.md"
    parser.add_argument("--proxy", type=_ip_address, metavar="ADDRESS", help=proxy)
    talks = "number of simultaneous talks, others wait; default: one per two cores"
    parser.add_argument("--talks", type=int, help=talks)
    chunk = "latent frames generated at once; default: 4, or the export's own number if that is smaller"
    parser.add_argument("--chunk", type=int, metavar="FRAMES", help=chunk)
    longest = "greatest length of a talk; default: 300"
    parser.add_argument("--longest", type=float, default=300, metavar="SECONDS", help=longest)
    add_device(parser)
    add_root(parser)
    parser.set_defaults(command=serve_page)


def generate_video(options: argparse.Namespace) -> int:
    """Generate a video."""
    import torch
    from tqdm import tqdm

    from cospeech.harness.workspace import Workspace
    from cospeech.inference.generate import Request, generate
    from cospeech.utils.allocator import keep_freed_memory
    from cospeech.utils.device import pick_device

    workspace, device = Workspace(options.root), pick_device(options.device)
    model = options.model or workspace.model("export")
    request = Request(options.audio, options.image, options.out, model, options.pose, options.seed, device)
    torch.set_num_threads(max(1, torch.get_num_threads() // 2))  # two chunks are generated at a time
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
    """Serve the live page until interrupted."""
    from cospeech.footage.consent import load_revocations
    from cospeech.harness.process_pool import available_cores
    from cospeech.harness.workspace import Workspace
    from cospeech.inference.speaker import load
    from cospeech.provenance.xmp import xmp_packet
    from cospeech.serving.auth import check_certificate, check_token
    from cospeech.serving.limits import Limits
    from cospeech.serving.portraits import load_portraits
    from cospeech.serving.server import Address, serve
    from cospeech.utils.device import pick_device

    workspace, device = Workspace(options.root), pick_device(options.device)
    address = Address(options.host, options.port, options.certificate, options.key, options.proxy)
    check_token(address.host, options.token)  # before the slow loading of models
    check_certificate(address.certificate, address.key)
    demo = options.root / "data/demo"
    folder = options.people or (demo if demo.is_dir() else None)
    model = options.model or workspace.model("export")
    origin = xmp_packet(model)
    serve(
        load(model, device),
        load_portraits(folder, load_revocations(workspace.revoked)) if folder else [],
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
    """Return the identity that params.yaml configures, or the folder's own if there is no params.yaml."""
    from cospeech.config import load_params
    from cospeech.provenance.identity import load_identity

    file = workspace.root / "params.yaml"
    if not file.is_file():
        return load_identity(workspace.signing, None, None)
    section = load_params(file).provenance
    return load_identity(workspace.signing, section.key, section.certificates) if section.sign else None


def verify_provenance(options: argparse.Namespace) -> int:
    """Verify a video or an export; return 1 if there are problems."""
    if options.path.is_dir():
        from cospeech.provenance.bundle import check_bundle

        checked = check_bundle(options.path)
        source, signer, problems = f"{len(checked.claims['training_clips'])} clips", checked.signer, checked.problems
    else:
        from cospeech.provenance.video import read_credentials

        found = read_credentials(options.path)
        if found is None:
            raise ValueError(f"{options.path}: has no content credentials")
        if "reference" not in found.claims:
            raise ValueError(f"{options.path}: signed by {found.signer}, but not generated by cospeech")
        source, signer, problems = f"picture of {found.claims['reference']['clip']}", found.signer, found.problems
    if options.signer and signer and signer.fingerprint != options.signer:
        problems = [*problems, f"signed by {signer}, but --signer is {options.signer}"]
    for problem in problems:
        print(f"{options.path}: {problem}", file=sys.stderr)
    if not problems:
        known = f"{signer.name!r}, the signer that you named" if options.signer and signer else signer
        print(f"{options.path}: OK, unchanged since it was signed by {known}; source: {source}")
    return 1 if problems else 0


def _ip_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an IP address, such as 10.0.0.5") from None


def _fingerprint(text: str) -> str:
    digits = text.replace(":", "").lower()
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise argparse.ArgumentTypeError(f"{text!r} is not a SHA-256 fingerprint of 64 hex digits")
    return digits
