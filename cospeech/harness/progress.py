"""Show progress bars on terminals."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from tqdm import tqdm


class Progress(Protocol):
    """An open progress bar; `figures` (a loss, a rate) appear beside it."""

    def update(self, n: int = 1, **figures: float) -> None: ...


ProgressFactory = Callable[[str, int], AbstractContextManager[Progress]]
"""(label, total) -> context manager that opens one bar."""


class _TerminalBar:
    def __init__(self, bar: tqdm) -> None:
        self._bar = bar

    def update(self, n: int = 1, **figures: float) -> None:
        if figures:
            self._bar.set_postfix({name: f"{value:.4g}" for name, value in figures.items()}, refresh=False)
        self._bar.update(n)


class _NoBar:
    def update(self, n: int = 1, **figures: float) -> None:
        pass


@contextmanager
def no_progress(label: str, total: int) -> Iterator[Progress]:
    """Show nothing; for processes other than rank 0."""
    yield _NoBar()


@contextmanager
def terminal_progress(label: str, total: int) -> Iterator[Progress]:
    """Show a bar with the time left; where output is not a terminal, print at most one line every ten seconds."""
    with tqdm(total=total, desc=label, mininterval=0.5, maxinterval=10, dynamic_ncols=True, leave=True) as bar:
        if not bar.disable and not getattr(bar.fp, "isatty", lambda: False)():
            bar.mininterval = 10
        yield _TerminalBar(bar)
