"""What commands have in common."""

import argparse
from pathlib import Path
from typing import Any

Commands = Any
"""What `ArgumentParser.add_subparsers` gives; argparse has no public name for it."""


def add_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", type=Path, default=Path(), metavar="FOLDER", help="project folder; default: this one")


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="auto", help="auto, the default: a GPU if there is one"
    )
