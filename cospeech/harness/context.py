"""What a stage run is given: its files, a pool for clip-parallel work, progress bars, its process group."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from cospeech.harness.distributed import SINGLE_PROCESS, ProcessGroup
from cospeech.harness.progress import ProgressFactory
from cospeech.harness.workspace import Workspace


@dataclass(frozen=True)
class Context:
    """The surroundings of a stage run.

    executor: opens the pool that works on clips (local processes, Dask, Ray); the caller closes it. progress: opens a
    progress bar. process_group: the processes that train together.
    """

    workspace: Workspace
    executor: Callable[[], Executor]
    progress: ProgressFactory
    process_group: ProcessGroup = SINGLE_PROCESS
