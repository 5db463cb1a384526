"""The stage on clips of two seconds, each spoilt in one way."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cospeech.artifacts import AudioFeatures, Curated
from cospeech.config import Params, load_params
from cospeech.curation.verdict import CHECKS
from cospeech.harness.clip_cache import record_path
from cospeech.harness.context import Context
from cospeech.harness.files import file_digest
from cospeech.harness.stage_report import StageReport
from cospeech.media import read_frames
from cospeech.models.perception.sync import SyncExpert
from cospeech.pose.track_file import save_track
from stages import curate
from tests.cospeech.curation.made import good_features, good_poses, mouth_curve
from tests.stages.small_project import SmallProject

FRAMES = 50
SILENCE = np.zeros(FRAMES * 640, np.float32)


@pytest.fixture(scope="module")
def params(repository: Path) -> Params:
    return load_params(repository / "params.yaml")


@pytest.fixture(scope="module")
def people(repository: Path) -> dict[str, np.ndarray]:
    """(50, 256, 256, 3) of two speakers of the embedded corpus."""
    clips = repository / "data/demo/clips"
    return {name: read_frames(clips / f"{name}-1.mp4")[:FRAMES] for name in ("adam", "diego")}


class Project(SmallProject):
    def good(self, clip: str, video: np.ndarray, frames: int = FRAMES, **columns: Any) -> None:
        """A clip without fault, to be spoilt afterwards."""
        self.add(clip, SILENCE, frames, video[:frames], **columns)
        save_track(self.workspace.poses(clip), good_poses(frames), "made")
        good_features(frames).save(self.workspace.audio(clip))

    def run(self, params: Params) -> pd.DataFrame:
        curate.run(params, self.context)
        return self.table()

    def table(self) -> pd.DataFrame:
        return Curated.load(self.workspace.curated).table.set_index("clip")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, people: dict[str, np.ndarray], params: Params) -> Project:
    """Two clips to keep, their pixels measured."""
    project = Project(tmp_path_factory.mktemp("measured"))
    project.good("train", people["adam"], split="train")
    project.good("test", people["adam"], split="test")
    project.run(params)
    return project


@pytest.fixture
def project(tmp_path: Path, measured: Project) -> Project:
    """A copy of it, to be spoilt."""
    shutil.copytree(measured.workspace.root, tmp_path / "project")
    return Project(tmp_path / "project", measured.rows)


def reasons(table: pd.DataFrame, clip: str) -> list[str]:
    return [reason.split(":")[0] for reason in json.loads(table.loc[clip, "reasons"])]


def with_thresholds(params: Params, **changes: Any) -> Params:
    return params.model_copy(update={"curate": params.curate.model_copy(update=changes)})


def spoil_poses(project: Project, points: slice) -> None:
    poses = good_poses(FRAMES)
    poses.confidence[:, points] = 0
    save_track(project.workspace.poses("bad"), poses, "made")


def unseen_face(project: Project, people: dict[str, np.ndarray]) -> None:
    project.good("bad", people["adam"])
    spoil_poses(project, slice(23, 91))


def no_hands(project: Project, people: dict[str, np.ndarray]) -> None:
    project.good("bad", people["adam"])
    spoil_poses(project, slice(91, 133))


def out_of_step(project: Project, people: dict[str, np.ndarray]) -> None:
    project.add("bad", np.zeros(120 * 640, np.float32), 120, np.repeat(people["adam"], 3, 0)[:120])
    curve = mouth_curve(160)
    save_track(project.workspace.poses("bad"), good_poses(120, curve[20:140]), "made")
    good_features(120, curve[12:132]).save(project.workspace.audio("bad"))


def no_voice(project: Project, people: dict[str, np.ndarray]) -> None:
    project.good("bad", people["adam"])
    mel = good_features(FRAMES).mel
    AudioFeatures(mel, np.zeros(FRAMES, np.float32), None).save(project.workspace.audio("bad"))


SPOILERS = {
    "face_confidence": unseen_face,
    "hands_visible": no_hands,
    "av_offset": out_of_step,
    "voice_share": no_voice,
    "clip_seconds": lambda project, people: project.good("bad", people["adam"], frames=20),
    "second_face": lambda project, people: project.good(
        "bad", np.concatenate([people[name][:, :, 64:192] for name in ("adam", "diego")], axis=2)
    ),
    "cut": lambda project, people: project.good("bad", np.concatenate([people["adam"][:25], people["diego"][:25]])),
    "camera_motion": lambda project, people: project.good("bad", panned(people["adam"])),
    "consent": lambda project, people: project.good("bad", people["adam"], consent=None),
    "licence": lambda project, people: project.good("bad", people["adam"], licence=" "),
}


def panned(frames: np.ndarray) -> np.ndarray:
    """The person stands; a textured wall moves behind by 2 pixels a frame."""
    wall = np.kron(np.random.default_rng(0).integers(0, 256, (32, 64, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    out = np.stack([wall[:, 2 * index : 2 * index + 256] for index in range(len(frames))])
    out[:, 20:, 70:190] = frames[:, 20:, 70:190]
    return out


@pytest.mark.parametrize("name", SPOILERS)
def test_each_fault_refuses_for_its_own_reason(
    project: Project, params: Params, people: dict[str, np.ndarray], name: str
) -> None:
    SPOILERS[name](project, people)
    table = project.run(params)
    assert reasons(table, "bad") == [name]
    assert not table.loc["bad", "kept"]
    assert pd.isna(table.loc["bad", "split"])
    assert table.loc[["train", "test"], "kept"].all()


def test_upper_body_out_of_sight_fails_both_of_its_thresholds(
    project: Project, params: Params, people: dict[str, np.ndarray]
) -> None:
    project.good("bad", people["adam"])
    spoil_poses(project, slice(5, 11))
    assert reasons(project.run(params), "bad") == ["upper_body_confidence", "upper_body_visible"]


def test_every_row_of_the_manifest_stays_with_every_score_and_threshold(project: Project, params: Params) -> None:
    project.refuse("broken", "the file ends early")
    table = project.run(params)
    assert table.index.tolist() == ["train", "test", "broken"]
    assert json.loads(table.loc["broken", "reasons"]) == ["ingest: the file ends early"]
    for check in CHECKS:
        assert (table[f"{check.name}_threshold"] == getattr(params.curate, check.name)).all()
        assert pd.isna(table.loc["broken", check.name])
        if check.name != "camera_motion":  # a plain wall
            assert table.loc[["train", "test"], check.name].notna().all()
    assert table.loc["train", "av_offset"] == 0
    assert table["split"].tolist()[:2] == ["train", "test"]
    report = StageReport.load(project.workspace.stage_report("curate"))
    assert (report.figures["named"], report.figures["kept"], report.figures["refused"]) == (3, 2, 1)
    assert report.figures["refused_ingest"] == 1
    assert report.pictures
    assert all(path.is_file() for path in report.pictures.values())


def test_a_changed_threshold_measures_nothing_again(project: Project, params: Params) -> None:
    shutil.rmtree(project.workspace.store)
    before = project.run(params)
    assert sorted(project.worked) == ["test", "train"]
    project.worked.clear()

    def no_pool() -> Any:
        raise AssertionError("a pool was opened though nothing is to be measured")

    context = Context(project.workspace, no_pool, project.context.progress)
    with pytest.raises(ValueError, match=r"2 clips named, 0 kept"):
        curate.run(with_thresholds(params, face_confidence=0.99), context)
    after = project.table()
    assert reasons(after, "train") == ["face_confidence"]
    scores = [check.name for check in CHECKS]
    pd.testing.assert_frame_equal(before[scores], after[scores])
    assert pd.read_parquet(record_path(project.workspace.store, "curate"))["reused"].all()


def test_two_runs_write_the_same_bytes(project: Project, params: Params) -> None:
    def outputs() -> list[str]:
        project.run(params)
        files = [project.workspace.curated, *sorted(project.workspace.stage_report("curate").iterdir())]
        return [file_digest(path) for path in files]

    assert outputs() == outputs()


def test_nothing_left_says_how_many_and_why(project: Project, params: Params) -> None:
    project.refuse("broken", "the file ends early")
    message = r"3 clips named, 0 kept: 0 to train, 0 to test.*clip_seconds \(2\), ingest \(1\).*curate"
    with pytest.raises(ValueError, match=message):
        curate.run(with_thresholds(params, clip_seconds=60.0), project.context)
    assert len(project.table()) == 3  # the table is there to be read


def test_no_test_clip_is_an_error(tmp_path: Path, params: Params, people: dict[str, np.ndarray]) -> None:
    project = Project(tmp_path)
    project.good("only", people["adam"])
    with pytest.raises(ValueError, match=r"1 clips named, 1 kept: 1 to train, 0 to test.*none was refused"):
        curate.run(params, project.context)


def test_consent_may_be_waived(project: Project, params: Params, people: dict[str, np.ndarray]) -> None:
    project.good("bad", people["adam"], consent=None, licence=None)
    assert project.run(with_thresholds(params, require_consent=False)).loc["bad", "kept"]


def test_poses_and_sound_of_different_length_are_named(project: Project, params: Params) -> None:
    good_features(FRAMES - 1).save(project.workspace.audio("train"))
    with pytest.raises(ValueError, match=r"clip train: 50 frames of poses but 49 of sound"):
        curate.run(params, project.context)


def test_missing_poses_name_the_stage_to_run(project: Project, params: Params) -> None:
    project.workspace.poses("test").unlink()
    with pytest.raises(ValueError, match=r"clip test: .* is missing; run dvc repro extract_poses"):
        curate.run(params, project.context)


def test_an_expert_may_find_the_offset(project: Project, params: Params, tmp_path: Path) -> None:
    """Untrained, it finds what it finds; but it is asked, and one that is not there is an error."""
    SyncExpert(width=8, embedding=8).save_pretrained(tmp_path / "expert")
    coarse = project.table().loc["train", "av_evidence"]

    def with_expert(path: Path) -> Params:
        section = params.curate.model_copy(update={"sync_expert": path, "av_evidence": 9.0})
        return params.model_copy(update={"curate": section})

    row = project.run(with_expert(tmp_path / "expert")).loc["train"]
    assert abs(row["av_offset"]) <= 15
    assert 0 <= row["av_evidence"] != coarse
    with pytest.raises(ValueError, match=r"curate.sync_expert: .*absent: no such file"):
        project.run(with_expert(tmp_path / "absent"))
