"""Check footage, generate and serve talking video, and manage models. `dvc repro` runs the pipeline."""

import argparse
import sys
from collections.abc import Sequence

from cospeech import __version__
from cospeech.cli import footage, measures, registry, speaking
from cospeech.inference.errors import InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0 success, 1 error, 2 wrong usage or input."""
    options = build_parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        sys.stderr.close()
        return 0
    except ModuleNotFoundError as error:
        if (error.name or "cospeech").startswith("cospeech"):
            raise
        print(
            f"error: this command needs {error.name}, which the wheel does not install; run it in a checkout of the "
            "project, after `make env`",
            file=sys.stderr,
        )
        return 1
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = argparse.ArgumentParser(prog="cospeech", description=__doc__)
    parser.add_argument("--version", action="version", version=f"cospeech {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for part in (footage, registry, measures, speaking):
        part.add_commands(commands)
    return parser
