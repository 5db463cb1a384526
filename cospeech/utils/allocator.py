"""Make glibc keep freed memory for reuse.

By default glibc returns large blocks to the system at once and requests them anew. A network whose tensors have a
megabyte or more then spends a tenth of its time on page faults.
"""

import ctypes
import os

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Parameter numbers of mallopt, from glibc's malloc.h."""
_TRIM_BYTES = 1 << 29
"""Greatest amount of unused memory that the process keeps."""
_MMAP_BYTES = 1 << 25
"""Smaller blocks come from the heap and are kept; glibc accepts no greater threshold."""
SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
"""Environment variables that set the same thresholds and take precedence. Dask sets one where it starts workers."""


def keep_freed_memory() -> bool:
    """Make this process keep up to half a gigabyte of freed memory for reuse; return whether that was set.

    Changes nothing where the C library is not glibc, or where one of `SETTINGS` is in the environment.
    """
    if any(name in os.environ for name in SETTINGS):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES) and mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES))
