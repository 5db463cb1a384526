"""Segments of unlike lengths in one call."""

import pytest
import torch

from cospeech.attention.backends.sdpa_lse import (
    Lengths,
    attend_explicitly,
    attend_explicitly_backward,
    attend_varlen,
    attend_varlen_backward,
)
from tests.helpers.devices import DEVICES

QUERIES, KEYS = [3, 1, 40], [8, 5, 2]


def rows(dtype: torch.dtype, device: str) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    lengths = (sum(QUERIES), sum(KEYS), sum(KEYS), sum(QUERIES))
    return [torch.randn(length, 2, 16, generator=generator).to(device, dtype) for length in lengths]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_each_segment_is_an_attention_of_its_own(dtype: torch.dtype, device: str) -> None:
    """Values, denominators and gradients."""
    q, k, v, grad = rows(dtype, device)
    lengths = Lengths.of(QUERIES, KEYS).to(torch.device(device))
    out, lse = attend_varlen(q, k, v, lengths)
    found = [out, lse, *attend_varlen_backward(grad, q, k, v, out, lse, lengths)]
    parts = []
    for query, key in lengths.rows:
        q1, k1, v1, grad1 = (x.transpose(0, 1)[None] for x in (q[query], k[key], v[key], grad[query]))
        out1, lse1 = attend_explicitly(q1, k1, v1)
        made = [out1, lse1[..., None], *attend_explicitly_backward(grad1, q1, k1, v1, out1, lse1)]
        parts.append([x[0].transpose(0, 1) for x in made])
    expected = [torch.cat(each) for each in zip(*parts, strict=True)]
    expected[1] = expected[1][..., 0]
    tolerance = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 4e-2}[dtype]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance, check_dtype=False)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_cuda_kernels_are_called_as_they_are_declared(dtype: torch.dtype) -> None:
    """Shapes alone, on the meta device, which takes CUDA's kernels here: what can be checked without a GPU."""
    q, k, v, grad = rows(dtype, "meta")
    lengths = Lengths.of(QUERIES, KEYS).to(torch.device("meta"))
    out, lse = attend_varlen(q, k, v, lengths)
    assert out.shape == q.shape
    assert lse.shape == q.shape[:2]
    found = attend_varlen_backward(grad, q, k, v, out, lse, lengths)
    assert [x.shape for x in found] == [q.shape, k.shape, v.shape]
