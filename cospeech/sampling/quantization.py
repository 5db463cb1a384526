"""The layers of a network that multiply, in the arithmetic it draws in: floating point, or whole numbers of 8 bits.

In whole numbers a value is scale * (number - zero). What a layer takes in has one scale, from the range it was seen in
on training footage (`Measuring`); its weights have one an output; sums are exact (Jacob et al., "Quantization and
training of neural networks for efficient integer-arithmetic-only inference", CVPR 2018). A processor with VNNI does
four such products where it does one in float32. One without adds them up by twos in 16 bits, which weights of 8 bits
would overflow: there they have 7. The kernels are oneDNN's, which torch.compile uses for quantised
networks; torch has no public name for them.

Axes: M rows, B pictures, I inputs, O outputs, H W cells, k side of a kernel.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import nn

from ..utils.precision import Precision, resolve_precision

Layer = Callable[[torch.Tensor], torch.Tensor]
Network = TypeVar("Network", bound=nn.Module)
Ranges = Mapping[str, tuple[float, float]]
"""By layer, the least and the greatest value that it takes in."""

_WIDE = 32
"""Layers of fewer inputs stay in floating point: they take little time, and what they take in is the picture."""


def load_ranges(path: Path) -> Ranges:
    """Empty where there is no file, as in exports of the time before it.

    Raises:
        ValueError: the file holds something else.
    """
    if not path.is_file():
        return {}
    try:
        return {name: (float(low), float(high)) for name, (low, high) in json.loads(path.read_bytes()).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: not the ranges of layers, or damaged ({error}); run dvc repro, which makes them anew"
        ) from error


_GELU: tuple[str, list[float], str] = "gelu", [], "tanh"
_NOTHING: tuple[str, list[float], str] = "none", [], ""
"""What oneDNN does to a product after it."""


class Arithmetic(ABC):
    """Makes layers. dtype: of what is between them, sums and norms."""

    dtype: torch.dtype

    @property
    @abstractmethod
    def title(self) -> str:
        """int8, bf16 or fp32."""

    @abstractmethod
    def linear(
        self, name: str, weight_OI: torch.Tensor, bias_O: torch.Tensor, gelu: bool = False, into: str = ""
    ) -> Layer:
        """(M, I) -> (M, O). gelu: followed by GELU (by hyperbolic tangent). into: the one layer that takes its result,
        which may then come as that one wants it."""

    @abstractmethod
    def convolution(self, name: str, weight_OIkk: torch.Tensor, bias_O: torch.Tensor) -> Layer:
        """(B, I, H, W) -> (B, O, H, W), channels last."""


@dataclass(frozen=True)
class Floating(Arithmetic):
    dtype: torch.dtype

    @property
    def title(self) -> str:
        return "bf16" if self.dtype == torch.bfloat16 else "fp32"

    def linear(
        self, name: str, weight_OI: torch.Tensor, bias_O: torch.Tensor, gelu: bool = False, into: str = ""
    ) -> Layer:
        weight, bias = weight_OI.to(self.dtype).contiguous(), bias_O.to(self.dtype).contiguous()
        if (
            weight.device.type == "cpu"
            and self.dtype == torch.bfloat16
            and torch.ops.mkldnn._is_mkldnn_bf16_supported()
        ):
            packed, after = torch.ops.mkldnn._reorder_linear_weight(weight), _GELU if gelu else _NOTHING
            return lambda x: torch.ops.mkldnn._linear_pointwise(x, packed, bias, *after)
        if gelu:
            return lambda x: F.gelu(F.linear(x, weight, bias), approximate="tanh")
        return lambda x: F.linear(x, weight, bias)

    def convolution(self, name: str, weight_OIkk: torch.Tensor, bias_O: torch.Tensor) -> Layer:
        weight = weight_OIkk.to(self.dtype, memory_format=torch.channels_last)
        bias, padding = bias_O.to(self.dtype), weight.shape[-1] // 2
        return lambda x: F.conv2d(x, weight, bias, padding=padding)


@dataclass(frozen=True)
class Measuring(Arithmetic):
    """In float32; `ranges` fills with what the wide layers take in."""

    dtype: torch.dtype = torch.float32
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return "fp32"

    def linear(
        self, name: str, weight_OI: torch.Tensor, bias_O: torch.Tensor, gelu: bool = False, into: str = ""
    ) -> Layer:
        return self._measured(name, weight_OI, Floating(self.dtype).linear(name, weight_OI, bias_O, gelu))

    def convolution(self, name: str, weight_OIkk: torch.Tensor, bias_O: torch.Tensor) -> Layer:
        return self._measured(name, weight_OIkk, Floating(self.dtype).convolution(name, weight_OIkk, bias_O))

    def _measured(self, name: str, weight: torch.Tensor, layer: Layer) -> Layer:
        if weight.shape[1] < _WIDE:
            return layer

        def measure(x: torch.Tensor) -> torch.Tensor:
            low, high = self.ranges.get(name, (0.0, 0.0))  # nought is in every range: convolutions pad with it
            self.ranges[name] = min(low, float(x.min())), max(high, float(x.max()))
            return layer(x)

        return measure


@dataclass(frozen=True)
class WholeNumbers(Arithmetic):
    """In 8 bits where a layer's range is known, else in float32. greatest: number of a weight."""

    ranges: Ranges
    greatest: int = 127
    dtype: torch.dtype = torch.float32

    @property
    def title(self) -> str:
        return "int8"

    def linear(
        self, name: str, weight_OI: torch.Tensor, bias_O: torch.Tensor, gelu: bool = False, into: str = ""
    ) -> Layer:
        if name not in self.ranges:
            return Floating(self.dtype).linear(name, weight_OI, bias_O, gelu)
        grid, (weight, scale_O, zero_O) = Grid.over(self.ranges[name]), _rounded(weight_OI, self.greatest)
        packed, bias = torch.ops.onednn.qlinear_prepack(weight, None), bias_O.float()
        result = (1.0, 0, torch.float32)
        if into in self.ranges:
            following = Grid.over(self.ranges[into])
            result = following.scale, following.zero, torch.uint8
        after = _GELU if gelu else _NOTHING

        def multiply(x: torch.Tensor) -> torch.Tensor:
            numbers = x if x.dtype == torch.uint8 else grid.round(x)
            return torch.ops.onednn.qlinear_pointwise(
                numbers, grid.scale, grid.zero, packed, scale_O, zero_O, bias, *result, *after
            )

        return multiply

    def convolution(self, name: str, weight_OIkk: torch.Tensor, bias_O: torch.Tensor) -> Layer:
        if name not in self.ranges:
            return Floating(self.dtype).convolution(name, weight_OIkk, bias_O)
        grid, (weight, scale_O, zero_O) = Grid.over(self.ranges[name]), _rounded(weight_OIkk, self.greatest)
        pad, bias = weight.shape[-1] // 2, bias_O.float()
        shape = [1, 1], [pad, pad], [1, 1], 1  # stride, padding, dilation, groups
        packed = torch.ops.onednn.qconv_prepack(weight, scale_O, grid.scale, grid.zero, *shape, None)

        def multiply(x: torch.Tensor) -> torch.Tensor:
            return torch.ops.onednn.qconv_pointwise(
                grid.round(x), grid.scale, grid.zero, packed, scale_O, zero_O, bias, *shape,
                1.0, 0, torch.float32, *_NOTHING,
            )  # fmt: skip

        return multiply


@dataclass(frozen=True)
class Grid:
    """scale * (number - zero), number from 0 to 255."""

    scale: float
    zero: int

    @classmethod
    def over(cls, span: tuple[float, float]) -> "Grid":
        low, high = span
        scale = max(high - low, 1e-6) / 255
        return cls(scale, min(max(round(-low / scale), 0), 255))

    def round(self, x: torch.Tensor) -> torch.Tensor:
        """uint8; what is out of range becomes the nearest that is in it."""
        rounded = torch.quantize_per_tensor(x.float(), self.scale, self.zero, torch.quint8)
        storage = rounded.untyped_storage()  # its bytes as they are: `int_repr` copies them, slowly
        return torch.empty(0, dtype=torch.uint8).set_(storage, 0, rounded.shape, rounded.stride())


def pick_arithmetic(device: torch.device, precision: Precision, ranges: Ranges) -> Arithmetic:
    """What a student draws in: whole numbers if its ranges are known, `precision` is auto and the processor has AVX2;
    otherwise floating point."""
    greatest = greatest_weight()
    if ranges and precision == "auto" and device.type == "cpu" and greatest is not None:
        return WholeNumbers(ranges, greatest)
    return Floating(torch.bfloat16 if resolve_precision(device, precision) == "bf16" else torch.float32)


def greatest_weight() -> int | None:
    """The greatest number that a weight may have on this processor: 2 * 63 * 255 still fits 16 bits. None: its products
    of whole numbers are not quicker."""
    if torch.cpu._is_vnni_supported():
        return 127
    return 63 if torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512") else None


def in_arithmetic(network: Network, prefix: str, arithmetic: Arithmetic) -> Network:
    """A copy of a network that is only to draw: its convolutions that keep the size are made by `arithmetic`, called
    `prefix` and their own name. In floating point the network itself, for autocast sees to it."""
    if isinstance(arithmetic, Floating):
        return network
    copy = deepcopy(network).requires_grad_(False)
    for name, module in list(copy.named_modules()):
        if isinstance(module, nn.Conv2d) and _keeps_size(module):
            assert module.bias is not None
            parent, _, child = name.rpartition(".")
            layer = arithmetic.convolution(f"{prefix}.{name}", module.weight, module.bias)
            setattr(copy.get_submodule(parent), child, _Made(layer))
    return copy


def _keeps_size(layer: nn.Conv2d) -> bool:
    """What `Arithmetic.convolution` makes: of stride 1, nought around the picture, nothing else."""
    around = layer.kernel_size[0] // 2
    found = layer.stride, layer.padding, layer.dilation, layer.groups, layer.padding_mode
    return found == ((1, 1), (around, around), (1, 1), 1, "zeros")


class _Made(nn.Module):
    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self._layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._layer(x)


def _rounded(weight: torch.Tensor, greatest: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """int8 weights up to `greatest`, and scale and zero of each output."""
    axes = tuple(range(1, weight.dim()))
    scale_O = weight.abs().amax(axes).float().clamp(min=1e-9) / greatest
    numbers = (weight.float() / scale_O.view(-1, *[1] * len(axes))).round().to(torch.int8)
    return numbers, scale_O, torch.zeros(len(weight), dtype=torch.int64)
