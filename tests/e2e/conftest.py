"""One undisturbed run for every story told here."""

import shutil
from pathlib import Path

import pytest

from flows.process.locks import exclusive
from tests.e2e.clone import Clone, make_small_clone, open_clone


@pytest.fixture(scope="session")
def whole(repository: Path, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Clone:
    """A finished run, made once for all processes that test; nobody changes it, everybody copies it."""
    base = tmp_path_factory.getbasetemp()
    folder = base if worker_id == "master" else base.parent
    root, finished = folder / "whole", folder / "whole.finished"
    with exclusive(folder / "locks", "whole"):
        if finished.exists():
            return open_clone(root)
        shutil.rmtree(root, ignore_errors=True)  # half of it, where another process failed
        clone = make_small_clone(repository, root)
        clone.run("flows.pipeline")
        finished.touch()
    return clone
