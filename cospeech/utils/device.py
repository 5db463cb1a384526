"""Choose the device; describe the CPU."""

from functools import cache
from pathlib import Path
from typing import Literal

import torch


def pick_device(name: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """Return the device of that name; `auto` is the GPU if there is one, else the CPU.

    Raises:
        ValueError: `name` is cuda and PyTorch finds no CUDA device.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is cuda, but PyTorch finds no CUDA device; set it to auto or cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


@cache
def cpu_info(field: str) -> str:
    """Return a field of /proc/cpuinfo for the first core, such as "model name" or "vendor_id"; "" if it is absent."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.split(":")[0].strip() == field), "")
