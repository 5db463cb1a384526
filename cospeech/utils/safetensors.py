"""Files of named tensors, and nothing else in them."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """
    Raises:
        ValueError: no safetensors file.
    """
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path}: no safetensors file ({error}); docs/metrics.md says what is needed") from error
