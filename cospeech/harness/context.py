"""What surrounds a stage run: where its files are, how clips are worked in parallel, how progress is shown."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from cospeech.harness.distributed import ALONE, Team
from cospeech.harness.progress import ProgressFactory
from cospeech.harness.workspace import Workspace


@dataclass(frozen=True)
class Context:
    """`executor` opens the pool in which clips are worked (local processes, Dask, Ray); the caller closes it.
    `team`: the processes that train together."""

    workspace: Workspace
    executor: Callable[[], Executor]
    progress: ProgressFactory
    team: Team = ALONE
