"""Options that several commands share."""

import argparse
from pathlib import Path
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""The type that `ArgumentParser.add_subparsers` returns; argparse has no public name for it."""


def add_root(parser: argparse.ArgumentParser) -> None:
    """Add --root, the project folder."""
    help = "project folder; default: the current folder"
    parser.add_argument("--root", type=Path, default=Path(), metavar="FOLDER", help=help)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add --device, the device to compute on."""
    help = "device to compute on; auto (default): the GPU if there is one"
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help=help)
