"""What is computed in, on a device that is faster in bfloat16 and on one that is not."""

import pytest
import torch

from cospeech.utils import precision
from cospeech.utils.precision import Precision, autocast, resolve_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("vendor", "avx512", "amx", "expected"),
    [
        ("AuthenticAMD", True, False, "bf16"),
        ("AuthenticAMD", False, False, "fp32"),
        ("GenuineIntel", True, False, "fp32"),
        ("GenuineIntel", True, True, "bf16"),
        ("GenuineIntel", False, False, "fp32"),
        ("", False, False, "fp32"),
    ],
)
def test_auto_is_bfloat16_only_where_the_processor_is_faster_in_it(
    monkeypatch: pytest.MonkeyPatch, vendor: str, avx512: bool, amx: bool, expected: str
) -> None:
    monkeypatch.setattr(precision, "cpu_info", {"vendor_id": vendor}.__getitem__)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert resolve_precision(CPU, "auto") == expected
    with autocast(CPU, "auto"):
        made = torch.ones(2, 2) @ torch.ones(2, 2)
    assert made.dtype == (torch.bfloat16 if expected == "bf16" else torch.float32)


@pytest.mark.parametrize("asked", ["bf16", "fp32"])
def test_what_is_asked_for_is_taken(asked: Precision) -> None:
    assert resolve_precision(CPU, asked) == asked


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16"), (False, "fp32")])
def test_a_gpu_that_only_imitates_it_computes_in_float32(
    monkeypatch: pytest.MonkeyPatch, native: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native or including_emulation)
    assert resolve_precision(torch.device("cuda"), "auto") == expected
