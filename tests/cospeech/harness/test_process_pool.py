import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import pytest

from cospeech.harness.process_pool import ClipFailure, PoolBrokenError, map_clips, process_pool
from tests.cospeech.harness.pool_functions import die_at_three, limits, process_id, square


class Bar:
    def __init__(self) -> None:
        self.done = 0

    def update(self, n: int = 1, **figures: float) -> None:
        self.done += n


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    with process_pool(2) as executor:
        yield executor


def test_every_item_comes_back_with_its_result(pool: Executor) -> None:
    bar = Bar()
    assert dict(map_clips(square, range(20), pool, bar)) == {item: item * item for item in range(20)}
    assert bar.done == 20


def test_a_failing_clip_is_named_and_the_others_go_on(pool: Executor) -> None:
    bar = Bar()
    results = dict(map_clips(square, [2, -7, 3], pool, bar))
    assert (results[2], results[3], bar.done) == (4, 9, 3)
    failure = results[-7]
    assert isinstance(failure, ClipFailure)
    assert failure.clip == "-7"
    assert failure.reason == "ValueError: -7 has no root"
    assert "pool_functions.py" in failure.details  # where it happened, in the worker


def test_the_name_of_an_item_is_its_clip(pool: Executor) -> None:
    [(_, failure)] = map_clips(square, [Job("anna-1")], pool, Bar())
    assert isinstance(failure, ClipFailure)
    assert failure.clip == "anna-1"


@dataclass(frozen=True)
class Job:
    clip: str


def test_workers_start_once(pool: Executor) -> None:
    assert len({result for _, result in map_clips(process_id, range(40), pool, Bar())}) <= 2


def test_workers_have_one_thread_a_library(pool: Executor) -> None:
    [(_, seen)] = map_clips(limits, [0], pool, Bar())
    assert seen == ("1", "1")


def test_leaving_early_cancels_the_rest(pool: Executor) -> None:
    bar = Bar()
    results = map_clips(square, range(1000), pool, bar)
    next(results)
    results.close()
    assert dict(map_clips(square, [5], pool, bar)) == {5: 25}
    assert bar.done == 2


def test_a_dead_worker_is_a_clear_error_and_finished_clips_are_kept() -> None:
    kept = {}
    with process_pool(1) as executor, pytest.raises(PoolBrokenError, match=r"3, 4"):
        kept.update(each for each in map_clips(die_at_three, range(5), executor, Bar()))
    assert kept == {0: 0, 1: 1, 2: 2}


def test_workers_may_not_be_negative() -> None:
    with pytest.raises(ValueError, match=r"compute\.workers is -1"):
        process_pool(-1)


PARENT = """
from pathlib import Path
from cospeech.harness.process_pool import process_pool
from tests.cospeech.harness.pool_functions import note_and_wait
if __name__ == "__main__":
    with process_pool(1) as executor:
        executor.submit(note_and_wait, Path({folder!r})).result()
"""


def test_workers_do_not_outlive_a_killed_parent(tmp_path: Path, repository: Path) -> None:
    script, notes = tmp_path / "parent.py", tmp_path / "notes"
    notes.mkdir()
    script.write_text(PARENT.format(folder=str(notes)))
    environment = {**os.environ, "PYTHONPATH": str(repository)}
    parent = subprocess.Popen([sys.executable, str(script)], env=environment)
    worker = int(wait_for(lambda: next(notes.iterdir(), None)).name)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert wait_for(lambda: not running(worker))


def running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for(condition, seconds: float = 30):  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"nothing within {seconds} s")
