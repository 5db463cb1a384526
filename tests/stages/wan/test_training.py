"""A Wan teacher fine-tuned and its student distilled, on tiny models of the same classes."""

import shutil
from pathlib import Path

import pytest
import torch

from cospeech.artifacts import Targets
from cospeech.config import Params
from cospeech.harness.files import folder_digest, read_json
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.models.transformers.wan import WanTeacher, load_student, load_teacher
from stages import (
    distill_student,
    train_teacher,
)
from tests.stages.tiny_project import Bar, context_of
from tests.stages.wan.support import changed, family_of
from tests.stages.wan.tiny_wan import FRAMES

T = 1 + (FRAMES - 1) // 4


def test_the_teacher_learns_low_rank_updates_and_is_saved_merged(
    params: Params, pipelines: Path, taught: Workspace
) -> None:
    base = load_teacher(pipelines / "teacher", 1.0).state_dict()
    for name, before in (("teacher", base), ("adapted_teacher", None)):
        before = before or load_teacher(taught.model("teacher"), 1.0).state_dict()
        after = load_teacher(taught.model(name), 1.0).state_dict()
        assert after.keys() == before.keys()
        moved = {key.split(".")[1] for key in after if not torch.equal(after[key], before[key])}
        assert moved == {"blocks", "vace_blocks"}
        report = StageReport.load(taught.stage_report(f"{'train' if name == 'teacher' else 'adapt'}_teacher"))
        assert report.figures["loss"] is not None
        assert report.pictures
        assert all(path.is_file() for path in report.pictures.values())
    figures = StageReport.load(taught.stage_report("adapt_teacher")).figures
    assert figures["loss_masked"] != figures["loss_dense"]
    assert 0 < float(figures["attended_share"] or 0) < 1
    assert "_name_or_path" not in read_json(taught.model("teacher") / "config.json")
    assert not list(taught.scratch.iterdir())


def test_a_teacher_of_rank_0_is_taken_as_it_is(params: Params, pipelines: Path, taught: Workspace) -> None:
    kept = shutil.copytree(taught.model("teacher"), taught.root / "kept")
    try:
        report = train_teacher.run(changed(params, "wan", teacher_rank=0), context_of(taught.root))
        after, before = (
            load_teacher(path, 1.0).state_dict() for path in (taught.model("teacher"), pipelines / "teacher")
        )
        assert all(torch.equal(after[name], before[name]) for name in before)
        assert report.figures["loss"] is None
        assert report.figures["psnr_seen"] is not None
    finally:
        shutil.rmtree(taught.model("teacher"))
        kept.rename(taught.model("teacher"))


def test_an_interrupted_fine_tune_goes_on_to_the_same_weights(
    params: Params, taught: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = folder_digest(taught.model("teacher"))
    monkeypatch.setattr("cospeech.training.checkpoint.Checkpoint.due", lambda self: True)
    with pytest.raises(KeyboardInterrupt):
        train_teacher.run(params, context_of(taught.root, Bar(stop_after=2)))
    assert list(taught.scratch.iterdir())
    train_teacher.run(params, context_of(taught.root))
    assert folder_digest(taught.model("teacher")) == whole


def test_targets_are_the_paths_of_the_guided_teacher(params: Params, taught: Workspace) -> None:
    saved = [Targets.load(path) for path in sorted(taught.targets.iterdir())]
    assert len(saved) == 2
    for each in saved:
        assert each.states.shape == (3, 16, T, 8, 8)
        assert len(each.frames) == FRAMES
        assert each.frames[0] in (0, 16, 31)
    teacher = family_of(params).load(taught, "adapted_teacher", torch.device("cpu"), guided=True)
    assert isinstance(teacher, WanTeacher)
    assert teacher.guidance == 2.0


def test_the_student_starts_as_wan_and_learns(params: Params, pipelines: Path, distilled: Workspace) -> None:
    student, start = (load_student(path).state_dict() for path in (distilled.model("student"), pipelines / "student"))
    assert student.keys() == start.keys()
    moved = {key.split(".")[1] for key in student if not torch.equal(student[key], start[key])}
    assert moved == {"blocks", "patch_embedding"}
    figures = StageReport.load(distilled.stage_report("distill_student")).figures
    assert {"loss_regression", "loss_matching", "psnr_seen_2_steps"} <= figures.keys()
    assert 0 < float(figures["attended_share"] or 0) < 1
    assert not list(distilled.scratch.iterdir())


@pytest.mark.parametrize("off", ["regression", "dmd", "region"])
def test_each_term_matters(params: Params, distilled: Workspace, off: str) -> None:
    full = folder_digest(distilled.model("student"))
    kept = shutil.copytree(distilled.model("student"), distilled.root / f"student-{off}")
    try:
        distill_student.run(changed(params, "student", **{off: 0.0}), context_of(distilled.root))
        assert folder_digest(distilled.model("student")) != full
    finally:
        shutil.rmtree(distilled.model("student"))
        kept.rename(distilled.model("student"))


@pytest.mark.parametrize("stop_after", [1, 3], ids=["regression", "matching"])
def test_an_interrupted_distillation_goes_on_to_the_same_weights(
    params: Params, distilled: Workspace, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    whole = folder_digest(distilled.model("student"))
    monkeypatch.setattr("cospeech.training.checkpoint.Checkpoint.due", lambda self: True)
    with pytest.raises(KeyboardInterrupt):
        distill_student.run(params, context_of(distilled.root, Bar(stop_after=stop_after)))
    distill_student.run(params, context_of(distilled.root))
    assert folder_digest(distilled.model("student")) == whole
