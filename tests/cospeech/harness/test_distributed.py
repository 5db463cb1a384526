"""Batches shared out among processes: the sum is that of one process."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cospeech.artifacts.tensors import load_arrays
from cospeech.harness.distributed import SINGLE_PROCESS, ProcessGroup
from tests.cospeech.harness import distributed_process

CLOSE, CLOSE_WEIGHTS = 1e-6, 1e-4
"""Of gradients: sums over windows are taken in another order, so bits differ. Of weights after three steps of 1e-3:
AdamW divides by the gradient's size, so where that is next to nothing its last bits show."""


def launch(repository: Path, processes: int, folder: Path) -> dict[str, np.ndarray]:
    """Train in that many processes; the checkpoint that the first of them left."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    ran = subprocess.run(
        [sys.executable, *launcher, distributed_process.__file__, str(folder)],
        env={**os.environ, "PYTHONPATH": str(repository)}, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert [path.name for path in folder.iterdir()] == ["checkpoint.safetensors"]
    return load_arrays(folder / "checkpoint.safetensors", "checkpoint", 1)[0]


@pytest.mark.timeout(900)
def test_two_processes_give_the_gradients_of_one(repository: Path, tmp_path: Path) -> None:
    """Two gloo processes really are launched; AdamW's moments after three steps hold the gradients."""
    one, two = (launch(repository, count, tmp_path / str(count)) for count in (1, 2))
    assert one.keys() == two.keys()
    moments = [name for name in one if name.endswith("exp_avg")]
    assert moments
    assert max(np.abs(one[name]).max() for name in moments) > 1e-3
    for name in one:
        close = CLOSE if "exp_avg" in name else CLOSE_WEIGHTS
        np.testing.assert_allclose(two[name], one[name], rtol=0, atol=close, err_msg=name)


def test_it_is_what_one_process_gives_without_a_launcher(tmp_path: Path) -> None:
    distributed_process.run(tmp_path / "a", SINGLE_PROCESS)
    distributed_process.run(tmp_path / "b", SINGLE_PROCESS)
    assert (tmp_path / "a/checkpoint.safetensors").read_bytes() == (tmp_path / "b/checkpoint.safetensors").read_bytes()


def test_each_process_takes_its_part_and_all_is_taken() -> None:
    items = torch.arange(6)
    parts = [ProcessGroup(rank, 3).shard(items).tolist() for rank in range(3)]
    assert parts == [[0, 3], [1, 4], [2, 5]]
    assert SINGLE_PROCESS.shard(items).tolist() == items.tolist()
    assert SINGLE_PROCESS.is_main


def test_a_batch_that_cannot_be_shared_evenly_is_refused() -> None:
    with pytest.raises(ValueError, match=r"batch of 3 .* 2 processes"):
        ProcessGroup(1, 2).shard([1, 2, 3])
