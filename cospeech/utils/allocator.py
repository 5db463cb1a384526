"""What the C library does with memory that was freed.

glibc gives large blocks back to the system at once and asks for them anew: a network whose tensors have a megabyte or
more then spends a tenth of its time on empty pages.
"""

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Of glibc's malloc.h: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD."""
_KEPT = 1 << 29
"""Bytes that are kept at most when nothing uses them."""
_FROM_HEAP = 1 << 25
"""Blocks below this many bytes are kept; glibc takes no higher bound."""
SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
"""Environment variables that set the same; whoever set them is left alone. Dask does where it starts workers."""


def keep_freed_memory() -> bool:
    """From now on this process keeps what it frees, up to half a gigabyte, and uses it again.

    False, and nothing is changed, where the C library is not glibc or where one of `SETTINGS` is in the environment.
    """
    if any(name in os.environ for name in SETTINGS):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return bool(mallopt and mallopt(_MMAP_THRESHOLD, _FROM_HEAP) and mallopt(_TRIM_THRESHOLD, _KEPT))
