import os
import platform
import subprocess
import sys

import pytest

from cospeech.utils.allocator import SETTINGS

FAULTS = """
import resource, sys, torch
from cospeech.utils.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    print(keep_freed_memory())
def use():
    tensors = [torch.ones(2_000_000) for _ in range(20)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
before = use()
print(use() - before)
"""


def run(way: str, **variables: str) -> list[str]:
    """Beside the given variables none of the allocator's: Dask's clusters leave theirs behind in the test's process."""
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS} | variables
    command = [sys.executable, "-c", FAULTS, way]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what glibc does")
def test_memory_that_was_freed_is_used_again():
    """Left to itself, glibc keeps some or nothing, as addresses happen to fall; told to, it gives back all tensors."""
    kept, faults = run("kept")
    assert kept == "True"
    all_anew = int(run("given back", MALLOC_MMAP_THRESHOLD_="131072")[0])
    assert int(faults) < all_anew / 5  # one tensor in 20 may not fit where it was


def test_a_user_who_has_set_it_is_left_alone():
    assert run("kept", MALLOC_TRIM_THRESHOLD_="131072")[0] == "False"
