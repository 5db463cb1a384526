"""Layers in whole numbers: the kernels against integers written out in numpy; what is measured, kept and refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cospeech.harness.files import write_json
from cospeech.models.autoencoders.codec import Codec
from cospeech.sampling.quantization import (
    Floating,
    Grid,
    Measuring,
    WholeNumbers,
    greatest_weight,
    in_arithmetic,
    load_ranges,
    pick_arithmetic,
)

CPU = torch.device("cpu")
GREATEST = greatest_weight() or 0
whole = pytest.mark.skipif(not GREATEST, reason="this processor has no AVX2: nothing is drawn in 8 bits")


def linear_weights(outputs: int = 24, inputs: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(outputs, inputs, generator=generator), torch.randn(outputs, generator=generator)


def by_hand(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, low: float, high: float) -> np.ndarray:
    """The same layer in integers of 64 bits."""
    scale = (high - low) / 255
    zero = round(-low / scale)
    numbers = np.clip(np.rint(x / scale) + zero, 0, 255).astype(np.int64)
    scales = np.abs(weight).max(1) / GREATEST
    weights = np.rint(weight / scales[:, None]).astype(np.int64)
    return ((numbers - zero) @ weights.T) * scales * scale + bias


@whole
def test_a_linear_layer_is_what_integers_give() -> None:
    weight, bias = linear_weights()
    x = torch.randn(50, 40, generator=torch.Generator().manual_seed(2))
    found = WholeNumbers({"a": (-2.5, 3.0)}, GREATEST).linear("a", weight, bias)(x)
    expected = by_hand(x.numpy(), weight.numpy(), bias.numpy(), -2.5, 3.0)
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-4)
    assert 0 < np.abs(expected - F.linear(x, weight, bias).numpy()).mean() < 0.15  # rounded; clipped at 3


@whole
def test_gelu_follows_and_the_next_layer_takes_whole_numbers() -> None:
    weight, bias = linear_weights()
    fall, fall_bias = linear_weights(16, 24)
    x = torch.randn(50, 40, generator=torch.Generator().manual_seed(2))
    between = F.gelu(F.linear(x, weight, bias), approximate="tanh")
    ranges = {"rise": (float(x.min()), float(x.max())), "fall": (float(between.min()), float(between.max()))}
    layers = WholeNumbers(ranges, GREATEST)
    passed = layers.linear("rise", weight, bias, gelu=True, into="fall")(x)
    assert passed.dtype == torch.uint8
    numbers = (between / Grid.over(ranges["fall"]).scale).round() + Grid.over(ranges["fall"]).zero
    assert (passed.float() - numbers).abs().max() <= 3 * 127 / GREATEST
    found, expected = layers.linear("fall", fall, fall_bias)(passed), F.linear(between, fall, fall_bias)
    assert (found - expected).square().mean().sqrt() / expected.std() < 0.02


@whole
@pytest.mark.parametrize("side", [1, 3])
def test_a_convolution_is_near_float32(side: int) -> None:
    generator = torch.Generator().manual_seed(3)
    weight, bias = torch.randn(20, 36, side, side, generator=generator), torch.randn(20, generator=generator)
    x = torch.randn(2, 36, 9, 7, generator=generator).contiguous(memory_format=torch.channels_last) + 1
    found = WholeNumbers({"a": (float(x.min()), float(x.max()))}, GREATEST).convolution("a", weight, bias)(x)
    expected = F.conv2d(x, weight, bias, padding=side // 2)  # borders, too: nought is not the middle of the range
    assert found.shape == expected.shape
    assert (found - expected).square().mean().sqrt() / expected.std() < 0.02


def test_what_is_out_of_range_becomes_its_end() -> None:
    grid = Grid.over((-1.0, 3.0))
    found = grid.round(torch.tensor([-9.0, -1.0, 0.0, 3.0, 9.0]))
    assert found.tolist() == [0, 0, grid.zero, 255, 255]


def test_channels_last_stays_so() -> None:
    x = torch.randn(2, 8, 4, 4).contiguous(memory_format=torch.channels_last)
    rounded = Grid.over((-4.0, 4.0)).round(x)
    assert rounded.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(rounded, torch.quantize_per_tensor(x, 8 / 255, 128, torch.quint8).int_repr())


def test_only_wide_layers_are_measured_with_nought_in_their_range() -> None:
    measuring, (weight, bias) = Measuring(), linear_weights()
    wide, narrow = measuring.linear("wide", weight, bias), measuring.linear("narrow", weight[:, :8], bias)
    assert torch.equal(wide(torch.full((3, 40), 2.0)), F.linear(torch.full((3, 40), 2.0), weight, bias))
    wide(torch.full((3, 40), 5.0))
    narrow(torch.ones(3, 8))
    assert measuring.ranges == {"wide": (0.0, 5.0)}


def test_a_layer_of_unknown_range_stays_in_float32() -> None:
    weight, bias = linear_weights()
    x = torch.randn(5, 40)
    assert torch.equal(WholeNumbers({}).linear("a", weight, bias)(x), F.linear(x, weight, bias))


def test_a_codec_is_copied_and_only_its_wide_layers_change() -> None:
    codec = Codec(4, encoder_width=40, encoder_blocks=1, decoder_width=8, decoder_blocks=1, detail_width=8).eval()
    torch.nn.init.normal_(codec.encode_out.weight, std=0.1)
    pictures, measuring = torch.rand(2, 3, 32, 32) * 2 - 1, Measuring()
    measured = in_arithmetic(codec, "codec", measuring)
    assert torch.allclose(measured.encode(pictures), codec.encode(pictures), atol=1e-5)
    measured.decode(codec.encode(pictures))
    names = {"codec.encode_in", "codec.encode_body.0.first", "codec.encode_body.0.second"}
    assert set(measuring.ranges) == names
    assert isinstance(codec.encode_in, torch.nn.Conv2d)
    assert in_arithmetic(codec, "codec", Floating(torch.float32)) is codec


def test_whole_numbers_are_drawn_in_where_all_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    ranges = {"a": (0.0, 1.0)}
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: True)
    assert pick_arithmetic(CPU, "auto", ranges).title == "int8"
    assert pick_arithmetic(CPU, "fp32", ranges).title == "fp32"
    assert pick_arithmetic(CPU, "bf16", ranges).title == "bf16"
    assert pick_arithmetic(CPU, "auto", {}).title in ("bf16", "fp32")
    assert pick_arithmetic(CPU, "auto", ranges) == WholeNumbers(ranges, 127)
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert pick_arithmetic(CPU, "auto", ranges) == WholeNumbers(ranges, 63)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    assert pick_arithmetic(CPU, "auto", ranges).title in ("bf16", "fp32")


def test_ranges_come_back_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ranges.json"
    assert load_ranges(path) == {}
    write_json(path, {"a": (-1.5, 2.0)})
    assert load_ranges(path) == {"a": (-1.5, 2.0)}
    for damaged in ("[1", "[]", '{"a": 3}', '{"a": [1, 2, 3]}'):
        path.write_text(damaged)
        with pytest.raises(ValueError, match=r"ranges\.json: not the ranges of layers"):
            load_ranges(path)


@whole
@pytest.mark.parametrize("side", [0, 1, 3])
def test_the_greatest_numbers_do_not_overflow(side: int) -> None:
    """All at their ends, with one sign: what sums of 16 bits could not hold."""
    shape = (8, 64, side, side) if side else (8, 64)
    weight, bias, layers = torch.ones(shape), torch.zeros(8), WholeNumbers({"a": (0.0, 2.0)}, GREATEST)
    x = (
        torch.full((1, 64, 5, 5), 2.0).contiguous(memory_format=torch.channels_last)
        if side
        else torch.full((4, 64), 2.0)
    )
    layers = WholeNumbers({"a": (0.0, 2.0)}, GREATEST)
    if side:
        found, expected = layers.convolution("a", weight, bias)(x), F.conv2d(x, weight, bias, padding=side // 2)
    else:
        found, expected = layers.linear("a", weight, bias)(x), F.linear(x, weight, bias)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-3)
