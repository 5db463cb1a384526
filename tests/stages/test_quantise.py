"""The ranges are measured, the export draws with them, and where nothing is drawn in 8 bits the stage says why."""

from pathlib import Path

import pytest
import torch

from cospeech.config import Params
from cospeech.datasets.loss_weights import CellWeights
from cospeech.datasets.windows import load_clip
from cospeech.harness.files import file_digest, read_json
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.inference.bundle import Models
from cospeech.inference.speaker import load
from cospeech.media import read_frames
from cospeech.metrics.image import psnr
from cospeech.sampling.euler import first_noise
from cospeech.sampling.folded_student import LeanStudent
from cospeech.sampling.generation import decode
from cospeech.sampling.kv_stream import sample_stream
from cospeech.sampling.quantization import greatest_weight
from stages import evaluate, export, quantise
from tests.stages.tiny_run import context_of, make_workspace, tiny_params

whole = pytest.mark.skipif(greatest_weight() is None, reason="this processor has no AVX2: nothing is drawn in 8 bits")


def automatic(repository: Path) -> Params:
    params = tiny_params(repository)
    return params.model_copy(update={"teacher": params.teacher.model_copy(update={"precision": "auto"})})


@pytest.fixture(scope="module")
def quantised(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = make_workspace(tmp_path_factory.mktemp("quantise"))
    quantise.run(automatic(repository), context_of(workspace))
    return workspace


def test_the_wide_layers_of_every_step_are_measured(quantised: Workspace) -> None:
    ranges = read_json(quantised.ranges)
    assert {f"student.{step}.{layer}" for step in (0, 1) for layer in ("embed", "0.fall", "1.fall")} <= set(ranges)
    assert all(low <= 0 <= high and low < high for low, high in ranges.values())
    assert StageReport.load(quantised.stage_report("quantise")).figures["layers"] == len(ranges)


def test_two_runs_give_the_same_ranges(quantised: Workspace, repository: Path, tmp_path: Path) -> None:
    again = make_workspace(tmp_path)
    quantise.run(automatic(repository), context_of(again))
    assert file_digest(again.ranges) == file_digest(quantised.ranges)


@whole
def test_both_arithmetics_are_compared(quantised: Workspace) -> None:
    report = StageReport.load(quantised.stage_report("quantise"))
    assert report.figures["psnr_between"] > 40
    assert abs(report.figures["psnr_int8"] - report.figures["psnr_float"]) < 0.1
    assert "dB apart" in report.summary


@whole
def test_the_export_draws_in_8_bits_what_is_evaluated(quantised: Workspace, repository: Path) -> None:
    params = automatic(repository)
    evaluate.run(params, context_of(quantised))
    assert read_json(quantised.metrics)["speed"]["student"]["arithmetic"] == "int8"
    export.run(params, context_of(quantised))

    speaker, student = load(quantised.model("export")), evaluate.load_samplers(params, quantised)["student"]
    assert isinstance(speaker.models, Models)
    assert isinstance(speaker.models.stream, LeanStudent)
    assert speaker.models.stream.arithmetic.title == student.title == "int8"
    exact = load(quantised.model("export"), precision="fp32").models.stream
    assert isinstance(exact, LeanStudent)
    assert exact.arithmetic.title == "fp32"
    clip = load_clip(quantised, "bob-1", "bob", CellWeights(0, 0, 0))
    given = read_frames(quantised.video("bob-1"))[0], clip.track.keypoints, clip.track.confidence
    generator = torch.Generator().manual_seed(3)
    noise = torch.stack([first_noise((1, 4, 8, 8), student.config.temperature, generator) for _ in range(len(clip))], 2)
    condition = clip.coded_by(student.codec).condition(slice(0, len(clip)), 0)
    latents = sample_stream(student.stream, noise, condition, clip.track, student.config)
    expected = decode(student.codec, latents[0])
    assert expected.std() > 5
    assert psnr(speaker.animate(*given, seed=3), expected).min() > 40  # latents on disk are rounded


@pytest.mark.parametrize(("off", "why"), [("windows", "quantise.windows is 0"), ("stream", "that stream")])
def test_where_nothing_is_quantised_it_says_why(repository: Path, tmp_path: Path, off: str, why: str) -> None:
    workspace, params = make_workspace(tmp_path), automatic(repository)
    section, value = ("quantise", {"windows": 0}) if off == "windows" else ("attention", {"stream": None})
    params = params.model_copy(update={section: getattr(params, section).model_copy(update=value)})
    report = quantise.run(params, context_of(workspace))
    assert why in report.summary
    assert read_json(workspace.ranges) == {}
    assert evaluate.load_samplers(params, workspace)["student"].title in ("bf16", "fp32")
