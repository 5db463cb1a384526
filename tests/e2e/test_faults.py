"""Killed at a random point of a run, the next one ends as if nothing had been; more: python -m tests.e2e.faults."""

from pathlib import Path

import pytest

from tests.e2e.clone import Clone
from tests.e2e.faults import disturb

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


@pytest.mark.parametrize("seed", [2, 20, 31])
def test_the_next_run_ends_as_if_nothing_had_been(whole: Clone, tmp_path: Path, seed: int) -> None:
    """A worker of a pool, dvc, the Prefect server, in short stages."""
    outcome = disturb(whole, seed, tmp_path)
    assert outcome.problems == [], outcome
