"""`cospeech`: the small jobs around the pipeline. `dvc repro` runs it."""

import argparse
import sys
from collections.abc import Sequence

from cospeech.cli import footage, registry, speaking
from cospeech.inference.errors import InputError


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
    for part in (footage, registry, speaking):
        part.add_commands(commands)
    return parser
