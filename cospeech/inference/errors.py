"""What people give that cannot be used."""

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """A file or an option that cannot be used; the message says which, why, and what would do."""


@contextmanager
def checking_input() -> Iterator[None]:
    """Whatever goes wrong inside is the input's fault."""
    try:
        yield
    except InputError:
        raise
    except (ValueError, OSError) as error:
        raise InputError(str(error)) from error
