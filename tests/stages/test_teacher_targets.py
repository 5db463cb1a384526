"""The teacher's paths over windows of the training clips."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cospeech.artifacts import Targets
from cospeech.config import Params
from cospeech.datasets.windows import ClipTensors
from cospeech.harness.files import file_digest
from cospeech.harness.process_pool import process_pool
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.models.transformers.denoiser import Denoiser
from cospeech.pose.track import PoseTrack
from stages import teacher_targets
from stages.teacher_targets import choose_windows
from tests.stages.tiny_project import CLIPS, Bar, context_of, make_project, tiny_params


@pytest.fixture
def params(repository: Path) -> Params:
    params = tiny_params(repository)
    return params.model_copy(update={"targets": params.targets.model_copy(update={"windows": 3, "states": 2})})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_project(tmp_path)


def digests(workspace: Workspace) -> dict[str, str]:
    return {path.name: file_digest(path) for path in sorted(workspace.targets.iterdir())}


def test_states_are_those_of_the_teacher(params: Params, workspace: Workspace) -> None:
    report = teacher_targets.run(params, context_of(workspace.root))
    saved = [Targets.load(path) for path in sorted(workspace.targets.iterdir())]
    assert {each.clip for each in saved} == {clip for clip, (_, split) in CLIPS.items() if split == "train"}
    assert len(saved) == report.figures["windows"] == 3
    for each in saved:
        assert each.states.shape == (3, 4, params.targets.frames, 8, 8)
        np.testing.assert_allclose(each.timesteps, [1, 2 / 3, 0], atol=1e-6)  # shift 2: u = 1, 1/2, 0
        assert abs(float(each.states[0].astype(np.float32).std()) / params.teacher.temperature - 1) < 0.1
        # halfway to the result along the last straight pieces: between noise and result
        noise, half, result = (state.astype(np.float32) for state in each.states)
        assert np.abs(half - result).mean() < np.abs(noise - result).mean()
    assert StageReport.load(workspace.stage_report("teacher_targets")).figures == report.figures
    assert report.pictures
    assert all(path.is_file() for path in report.pictures.values())
    assert not list(workspace.scratch.iterdir())


def test_an_interrupted_run_keeps_its_windows(params: Params, workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        teacher_targets.run(params, context_of(workspace.root, Bar(stop_after=2)))
    assert not workspace.targets.exists()
    report = teacher_targets.run(params, context_of(workspace.root))
    assert report.timings["windows_reused"] == 2
    whole = make_project(tmp_path / "other")
    teacher_targets.run(params, context_of(whole.root))
    assert digests(workspace) == digests(whole)


def test_a_damaged_window_is_drawn_again(params: Params, workspace: Workspace) -> None:
    with pytest.raises(KeyboardInterrupt):
        teacher_targets.run(params, context_of(workspace.root, Bar(stop_after=2)))
    kept = sorted(workspace.scratch.rglob("*.safetensors"))
    kept[0].write_bytes(kept[0].read_bytes()[:100])
    assert teacher_targets.run(params, context_of(workspace.root)).timings["windows_reused"] == 1


def test_another_teacher_reuses_nothing(params: Params, workspace: Workspace) -> None:
    with pytest.raises(KeyboardInterrupt):
        teacher_targets.run(params, context_of(workspace.root, Bar(stop_after=2)))
    teacher = Denoiser.from_pretrained(workspace.model("adapted_teacher"))
    torch.nn.init.normal_(teacher.conv_last.weight, std=0.1)
    teacher.save_pretrained(workspace.model("adapted_teacher"))
    assert teacher_targets.run(params, context_of(workspace.root)).timings["windows_reused"] == 0


def test_the_report_warns_of_a_teacher_that_is_worse_at_many_steps(params: Params, workspace: Workspace) -> None:
    report = teacher_targets.run(params, context_of(workspace.root))
    many, one = float(report.figures["psnr"] or 0), float(report.figures["psnr_one_step"] or 0)
    assert abs(many - one) > 0.01  # this teacher is noise, so more of its steps end elsewhere
    assert ("learns to be worse" in report.summary) == (many < one)


def test_a_teacher_that_only_copies_is_the_same_at_any_number_of_steps(params: Params, workspace: Workspace) -> None:
    teacher = Denoiser.from_pretrained(workspace.model("adapted_teacher"))
    torch.nn.init.zeros_(teacher.conv_last.weight)
    torch.nn.init.constant_(teacher.conv_last.bias, 0.0)
    teacher.conv_last.bias.data[-1] = 20.0  # the gate on the reference, wide open
    teacher.save_pretrained(workspace.model("adapted_teacher"))
    figures = teacher_targets.run(params, context_of(workspace.root)).figures
    assert figures["psnr"] == pytest.approx(figures["psnr_one_step"], abs=0.05)
    assert float(figures["psnr"] or 0) < float(figures["psnr_copy"] or 0)  # by what the codec loses


def clip(name: str, frames: int) -> ClipTensors:
    latents = torch.zeros(frames, 1, 2, 2)
    track = PoseTrack(np.zeros((frames, 133, 2), np.float32), np.zeros((frames, 133), np.float32), (16, 16))
    return ClipTensors(name, "x", latents, latents, track, latents[:, 0])


def test_windows_are_spread_over_the_clips_and_differ() -> None:
    windows = choose_windows([clip("a", 6), clip("b", 9), clip("short", 3)], 6, 4, seed=0)
    assert [window.clip.clip for window in windows] == ["a", "b"] * 3
    assert len({(window.clip.clip, window.start) for window in windows}) == 6
    assert all(window.stop <= len(window.clip) and window.reference < len(window.clip) for window in windows)
    assert sorted(window.start for window in windows if window.clip.clip == "a") == [0, 1, 2]


@pytest.mark.parametrize("clips", [[], [clip("short", 3)], [clip("a", 5)]])
def test_too_few_frames_are_an_error_that_says_so(clips: list[ClipTensors]) -> None:
    with pytest.raises(ValueError, match="3 windows of 4 frames"):
        choose_windows(clips, 3, 4, seed=0)


def test_other_processes_draw_the_same_windows(params: Params, workspace: Workspace, tmp_path: Path) -> None:
    """As on a cluster: the executor of the context, whose workers load the teacher themselves."""
    teacher_targets.run(params, context_of(workspace.root))
    other = make_project(tmp_path / "other")
    shutil.rmtree(other.model("adapted_teacher"))
    shutil.copytree(workspace.model("adapted_teacher"), other.model("adapted_teacher"))
    context = replace(context_of(other.root), executor=lambda: process_pool(1))
    spread = params.model_copy(update={"compute": params.compute.model_copy(update={"cluster": "tcp://somewhere:1"})})
    teacher_targets.run(spread, context)
    assert digests(other) == digests(workspace)
