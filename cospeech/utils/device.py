"""Where tensors live, and what computes there."""

from functools import cache
from pathlib import Path
from typing import Literal

import torch


def pick_device(name: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """`auto`: the GPU if there is one. Raises ValueError if cuda is asked for and absent."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("the device is to be cuda, but PyTorch finds no CUDA device; ask for auto or cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


@cache
def processor_says(field: str) -> str:
    """What Linux says of the first core, such as "model name" or "vendor_id"; "" where it says nothing."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.split(":")[0].strip() == field), "")
