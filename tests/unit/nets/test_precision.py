"""What is computed in, on a device that has bfloat16 and on one that imitates it."""

import pytest
import torch

from stages.lib.nets.precision import Precision, autocast, computed_in

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("avx512", "amx", "expected"), [(True, False, "bf16"), (False, True, "bf16"), (False, False, "fp32")]
)
def test_auto_is_bfloat16_only_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, avx512: bool, amx: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert computed_in(CPU, "auto") == expected
    with autocast(CPU, "auto"):
        made = torch.ones(2, 2) @ torch.ones(2, 2)
    assert made.dtype == (torch.bfloat16 if expected == "bf16" else torch.float32)


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_what_is_asked_for_is_taken(precision: Precision) -> None:
    assert computed_in(CPU, precision) == precision


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16"), (False, "fp32")])
def test_a_gpu_that_only_imitates_it_computes_in_float32(
    monkeypatch: pytest.MonkeyPatch, native: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native or including_emulation)
    assert computed_in(torch.device("cuda"), "auto") == expected
