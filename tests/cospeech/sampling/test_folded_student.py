"""A step of a stream, its constants worked out before, equals the denoiser's own in float32, bfloat16 and 8 bits."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from cospeech.attention.kv_cache import Memory
from cospeech.models.transformers.denoiser import Condition, Denoiser
from cospeech.sampling.config import SamplingConfig
from cospeech.sampling.folded_student import LeanStudent
from cospeech.sampling.kv_stream import StudentStream
from cospeech.sampling.quantization import Arithmetic, Measuring, WholeNumbers, greatest_weight, pick_arithmetic
from cospeech.utils.precision import Precision, autocast
from tests.cospeech.sampling.test_kv_stream import poses

CELLS, CHUNKS, STEPS = 16, (3, 1, 4), 2


class EagerStudent(LeanStudent):
    """Drawn by calls of the denoiser."""

    def __init__(self, denoiser: Denoiser, times: Sequence[float], arithmetic: Arithmetic) -> None:
        super().__init__(denoiser, times, arithmetic)

        def eager(time: float) -> Any:
            return lambda noisy, condition, step: denoiser(noisy, noisy.new_full((1,), time), condition, step)

        self.steps = [eager(time) for time in self.times[:-1]]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "warped"])
def denoiser(request: pytest.FixtureRequest) -> Denoiser:
    torch.manual_seed(0)
    model = Denoiser(3, 5, width=48, layers=2, heads=2, conv_width=16, reference_warp=request.param)
    for name, weight in model.named_parameters():  # nothing stays at nought or one, as it is before training
        if "norm_" in name or name.endswith("bias"):
            torch.nn.init.normal_(weight, mean=1.0 if name.endswith("weight") else 0.0, std=0.2)
    torch.nn.init.normal_(model.conv_last.weight, std=0.3)
    return model.eval()


def drawn(stream: StudentStream, warp: bool, precision: Precision) -> torch.Tensor:
    generator, parts, start = torch.Generator().manual_seed(1), [], 0
    track = poses(sum(CHUNKS))
    still = torch.randn(1, 3, CELLS, CELLS, generator=generator), torch.randn(1, 5, CELLS, CELLS, generator=generator)
    for length in CHUNKS:
        now = slice(start, start + length)
        start += length
        noise, warped = torch.randn(2, 1, 3, length, CELLS, CELLS, generator=generator)
        pose = torch.randn(1, 5, length, CELLS, CELLS, generator=generator)
        condition = Condition(pose, *still, warped if warp else None)
        with torch.no_grad(), autocast(torch.device("cpu"), precision):
            parts.append(stream.draw(noise, condition, track[now]))
    return torch.cat(parts, 2)


def stream(
    denoiser: Denoiser, kind: type[LeanStudent], precision: Precision, arithmetic: Arithmetic | None = None
) -> StudentStream:
    arithmetic = arithmetic or pick_arithmetic(torch.device("cpu"), precision, {})
    student = kind(denoiser, SamplingConfig(steps=STEPS, shift=2.0).times, arithmetic)
    return StudentStream(student, (CELLS, CELLS), Memory(2, frames=6, recent=2, max_frames=4))


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("bf16", 0.03)])
def test_a_lean_step_equals_the_denoiser(denoiser: Denoiser, precision: Precision, tolerance: float) -> None:
    lean, eager = (stream(denoiser, kind, precision) for kind in (LeanStudent, EagerStudent))
    warp = bool(denoiser.config["reference_warp"])
    found, expected = drawn(lean, warp, precision), drawn(eager, warp, precision)
    assert found.dtype == torch.float32
    error = (found - expected).square().mean().sqrt() / expected.std()
    assert error < tolerance, float(error)
    assert expected.std() > 0.3


def test_bfloat16_is_no_further_from_float32_than_the_denoisers_own(denoiser: Denoiser) -> None:
    warp = bool(denoiser.config["reference_warp"])
    kinds: list[tuple[type[LeanStudent], Precision]] = [
        (EagerStudent, "fp32"),
        (EagerStudent, "bf16"),
        (LeanStudent, "bf16"),
    ]
    exact, eager, lean = (drawn(stream(denoiser, kind, precision), warp, precision) for kind, precision in kinds)
    errors = [float((x - exact).square().mean().sqrt()) for x in (eager, lean)]
    assert 0 < errors[1] < 1.2 * errors[0]


@pytest.mark.skipif(greatest_weight() is None, reason="this processor has no AVX2: nothing is drawn in 8 bits")
def test_whole_numbers_are_near_float32(denoiser: Denoiser) -> None:
    warp, measuring = bool(denoiser.config["reference_warp"]), Measuring()
    exact = drawn(stream(denoiser, LeanStudent, "fp32", measuring), warp, "fp32")
    assert {"student.0.1.qkv", "student.1.0.fall", "student.1.project"} <= measuring.ranges.keys()
    rounded = drawn(
        stream(denoiser, LeanStudent, "fp32", WholeNumbers(measuring.ranges, greatest_weight())), warp, "fp32"
    )
    assert 0 < (rounded - exact).square().mean().sqrt() / exact.std() < 0.02
