"""Render a corpus: python -m cospeech.corpus --out data/demo, or --crowd 300 for random people to pretrain on."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from cospeech.corpus.cast import CAST
from cospeech.corpus.crowd import crowd
from cospeech.corpus.generate import generate, is_made
from cospeech.corpus.manifest import write_manifest
from cospeech.corpus.script import SCRIPT


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m cospeech.corpus", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for manifest.csv and clips/")
    parser.add_argument("--only", nargs="*", metavar="CLIP", help="render only these clips; the manifest lists all")
    parser.add_argument("--crowd", type=int, metavar="PEOPLE", help="number of random people, instead of the cast")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the crowd; default: 0")
    parser.add_argument("--workers", type=int, default=0, help="processes of 1 GB each; default: 0, one per core")
    options = parser.parse_args(arguments)
    if options.crowd is None:
        people = {person.name: person for person in CAST}
        roles = [(people[line.speaker], line) for line in SCRIPT]
    else:
        roles = crowd(options.crowd, options.seed)
    chosen = [(person, line) for person, line in roles if options.only is None or line.name in options.only]
    if unknown := set(options.only or ()) - {line.name for _, line in roles}:
        names = [line.name for _, line in roles]
        parser.error(f"no such clip: {', '.join(sorted(unknown))}; the script has {names[0]} to {names[-1]}")
    if options.crowd is not None:  # a crowd takes long: keep clips of an earlier call
        chosen = [(person, line) for person, line in chosen if not is_made(options.out, line)]
    generate(options.out, chosen, options.workers)
    write_manifest(options.out / "manifest.csv", [line for _, line in roles])


if __name__ == "__main__":
    main()
