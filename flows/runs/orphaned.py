"""Record which processes of this folder are in which flow runs, and close the runs of killed processes.

Prefect would show those as Running for ever.
"""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import psutil

from cospeech.harness.files import read_json, write_json
from flows.process.environment import state_folder
from flows.process.groups import identified, identity


@contextmanager
def remembered(root: Path, run: UUID) -> Iterator[None]:
    """Record the run during the block, and longer if the server was not told how it ended."""
    path = _folder(root) / f"{run}.json"
    write_json(path, {"machine": platform.node(), **identity(psutil.Process())})
    told = True
    try:
        yield
    except Exception:  # Prefect's own; those of the run are in its state
        told = False
        raise
    finally:
        if told:
            path.unlink(missing_ok=True)


def close_left(root: Path) -> None:
    """Mark the runs of this machine whose process is gone as Crashed."""
    left = [path for path in sorted(_folder(root).glob("*.json")) if _left(path)]
    if not left:
        return
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound
    from prefect.states import Crashed

    with get_client(sync_client=True) as client:
        for path in left:
            try:
                state = client.read_flow_run(UUID(path.stem)).state
                if state is None or not state.is_final():
                    client.set_flow_run_state(UUID(path.stem), Crashed(message="its process was killed"), force=True)
            except ObjectNotFound:  # of another server
                pass
            path.unlink(missing_ok=True)


def _left(path: Path) -> bool:
    try:
        record = read_json(path)
    except FileNotFoundError:  # just ended
        return False
    return record["machine"] == platform.node() and identified(record) is None


def _folder(root: Path) -> Path:
    return state_folder(root) / "runs"
