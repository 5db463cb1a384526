"""Official weights into a network of ours: tensors only, every one in its place."""

from pathlib import Path

import torch
from torch import nn

from cospeech.utils.safetensors import load_tensors


def load_state(path: Path, key: str) -> dict[str, torch.Tensor]:
    """The tensors of a .safetensors, or of a .pth or .pt that torch reads with weights_only=True.

    key: the parameter that names the file, for the error.

    Raises:
        ValueError: no such file, or something else than named tensors in it.
    """
    if not path.is_file():
        raise ValueError(f"{key}: {path}: no such file; give the official weights, or null to leave the measure out")
    if path.suffix == ".safetensors":
        try:
            return load_tensors(path)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ValueError(f"{key}: {path} is no file of tensors ({first}); a state dict is needed") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"{key}: {path} holds a {type(state).__name__} that is no state dict of named tensors")
    return state


def fill(net: nn.Module, state: dict[str, torch.Tensor], key: str) -> None:
    """Raises ValueError, with the first names, where `state` is not exactly what `net` needs."""
    needed = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items() if "num_batches" not in name}
    given = {name: tuple(tensor.shape) for name, tensor in state.items() if "num_batches" not in name}
    wrong = sorted(name for name in needed.keys() | given.keys() if needed.get(name) != given.get(name))
    if wrong:
        shown = "; ".join(
            f"{name}: {given.get(name, 'absent')}, {needed.get(name, 'none')} needed" for name in wrong[:3]
        )
        raise ValueError(f"{key}: {len(wrong)} of {len(needed)} tensors do not fit the network: {shown}")
    net.load_state_dict(state, strict=False)  # strict but for counters of batches, which nothing reads
    net.requires_grad_(False).eval()
