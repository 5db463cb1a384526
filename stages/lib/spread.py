"""A few of many, evenly spread."""

import numpy as np


def spread(length: int, count: int) -> np.ndarray:
    """At most `count` of `length` indices, evenly from the first to the last; none of none.

    >>> spread(10, 4).tolist()
    [0, 3, 6, 9]
    """
    return np.unique(np.linspace(0, length - 1, min(count, length)).round().astype(int))
