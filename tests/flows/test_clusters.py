"""The same work on local processes, on a real two-worker Dask cluster and on a real local Ray."""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from cospeech.harness.cached_map import cached_map
from cospeech.harness.clip_cache import ClipStore
from cospeech.harness.cluster_executors import open_executor
from cospeech.harness.context import Context
from cospeech.harness.files import file_digest
from cospeech.harness.process_pool import ClipFailure, map_clips
from cospeech.harness.workspace import Workspace
from tests.stages.small_project import no_bar

WORKERS = Path(__file__).parents[1] / "workers"
sys.path.insert(0, str(WORKERS))  # by a name of its own: Ray brings a package `tests` along
from cluster_functions import SmallJob, slow_square, small_result, square  # noqa: E402


class Bar:
    def update(self, n: int = 1, **figures: float) -> None:
        pass


@contextmanager
def dask_cluster() -> Iterator[str]:
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        cluster.wait_for_workers(2)
        yield cluster.scheduler_address


@contextmanager
def ray_cluster() -> Iterator[str]:
    ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        yield "ray:auto"
    finally:
        ray.shutdown()


@pytest.fixture(scope="module", params=["dask", "ray"])
def cluster(request: pytest.FixtureRequest, repository: Path) -> Iterator[str]:
    """The address of a cluster of two workers that find this checkout."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{repository}{os.pathsep}{WORKERS}"
    try:
        with dask_cluster() if request.param == "dask" else ray_cluster() as address:
            yield address
    finally:
        os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


def test_results_and_failures_are_those_of_the_local_pool(cluster: str) -> None:
    """tests/cospeech/harness/test_process_pool.py holds the local pool to the same."""
    with open_executor(cluster, 0) as executor:
        found = dict(map_clips(square, [*range(12), -7], executor, Bar()))
    failure = found.pop(-7)
    assert found == {item: item * item for item in range(12)}
    assert isinstance(failure, ClipFailure)
    assert failure.reason == "ValueError: -7 has no root"


def test_a_worker_killed_in_the_middle_loses_no_clip_and_adds_none(cluster: str, tmp_path: Path) -> None:
    """The worker of the fourth clip dies by SIGKILL, once; every clip comes back, once."""
    jobs = [SmallJob(str(index), tmp_path, index == 3) for index in range(8)]
    with open_executor(cluster, 0) as executor:
        results = list(map_clips(slow_square, jobs, executor, Bar()))
    assert (tmp_path / "died").is_file()
    assert sorted((int(job.clip), result) for job, result in results) == [(index, index * index) for index in range(8)]


def test_extraction_into_the_clip_store_gives_the_same_files(cluster: str, tmp_path: Path) -> None:
    found = []
    for name, address in (("local", None), ("cluster", cluster)):
        workspace = Workspace(tmp_path / name)
        store = ClipStore(workspace.store, "small", "salt")
        jobs = [SmallJob(str(index), tmp_path / name, index == 2 and address is not None, store) for index in range(5)]
        executor = ThreadPoolExecutor(2) if address is None else open_executor(address, 0)
        context = Context(workspace, lambda executor=executor: executor, no_bar)  # type: ignore[misc]
        targets = workspace.root / "out"
        reused = cached_map(jobs, small_result, lambda job, to=targets: {"r.txt": to / job.clip}, context, "small")
        assert not any(reused.values())
        found.append({path.name: file_digest(path) for path in sorted(targets.iterdir())})
        assert not list(workspace.store.rglob(".*"))
    assert found[0] == found[1]
    assert len(found[0]) == 5


def test_nobody_at_the_address_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cospeech.harness.cluster_executors.CONNECT_SECONDS", 1)
    with pytest.raises(ValueError, match="it must be a Dask scheduler"):
        open_executor("http://host:1", 0)
    pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    with pytest.raises(ValueError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9"):
        open_executor("tcp://127.0.0.1:9", 0)
