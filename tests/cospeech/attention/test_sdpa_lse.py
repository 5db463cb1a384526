"""The kernels that return a softmax with its denominator, against plain operations."""

import pytest
import torch

from cospeech.attention.backends.sdpa_lse import (
    absent_bias,
    attend,
    attend_backward,
    attend_explicitly,
    attend_explicitly_backward,
)
from tests.helpers.devices import DEVICES


def qkv(queries: int, keys: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, length, 8, generator=generator) for length in (queries, keys, keys)]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("masked", [False, True])
def test_the_kernel_is_the_formula(masked: bool, dtype: torch.dtype, device: str) -> None:
    q, k, v = (x.to(device, dtype) for x in qkv(5, 16))
    bias = absent_bias(torch.arange(16) < torch.tensor([[16], [3]])).to(device) if masked else None
    tolerance = {"atol": 2e-2, "rtol": 2e-2} if dtype == torch.bfloat16 else {"atol": 1e-5, "rtol": 1e-5}
    out, lse = attend(q, k, v, bias)
    expected, expected_lse = attend_explicitly(q, k, v, bias)
    torch.testing.assert_close(out, expected, **tolerance)
    torch.testing.assert_close(lse, expected_lse, check_dtype=False, **tolerance)
    found = attend_backward(torch.ones_like(out), q, k, v, out, lse, bias)
    for one, other in zip(
        found, attend_explicitly_backward(torch.ones_like(out), q, k, v, out, lse, bias), strict=True
    ):
        torch.testing.assert_close(one, other, **tolerance)


def test_explicit_gradients_are_those_of_autograd() -> None:
    q, k, v = (x.double().requires_grad_() for x in qkv(5, 16))
    out, lse = attend_explicitly(q, k, v)
    expected = torch.autograd.grad(out.square().sum(), (q, k, v))
    found = attend_explicitly_backward(2 * out.detach(), q, k, v, out, lse)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_absent_keys_have_no_weight_even_by_the_thousand() -> None:
    """Whole blocks of a kernel may be absent; nothing becomes NaN."""
    q, k, v = qkv(4, 2000)
    bias = absent_bias(torch.arange(2000) < torch.tensor([[2000], [2]]))
    out, lse = attend(q, k, v, bias)
    expected, expected_lse = attend(q[1:], k[1:, :, :2], v[1:, :, :2])
    torch.testing.assert_close(out[1:], expected)
    torch.testing.assert_close(lse[1:], expected_lse)
    assert out.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("masked", [False, True])
def test_the_cuda_kernels_are_called_as_they_are_declared(masked: bool, dtype: torch.dtype) -> None:
    """Shapes alone, on the meta device, which takes CUDA's kernels here: what can be checked without a GPU."""
    q, k, v = (x.to("meta", dtype) for x in qkv(5, 16))
    bias = torch.zeros(2, 1, 1, 16, device="meta") if masked else None
    out, lse = attend(q, k, v, bias)
    assert out.shape == q.shape
    assert lse.shape == q.shape[:3]
    found = attend_backward(out, q, k, v, out, lse, bias)
    assert [x.shape for x in found] == [q.shape, k.shape, v.shape]
