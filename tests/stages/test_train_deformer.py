"""train_deformer on clips in which stripes move as no keypoint says."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cospeech.artifacts import Curated
from cospeech.artifacts.tables import CURATED_COLUMNS
from cospeech.config import Params, load_params
from cospeech.datasets.pose_pairs import draw_pairs, load_posed, pair_up
from cospeech.harness.files import file_digest
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.media import read_frames, write_video
from cospeech.models.warping.deformer import Deformer
from cospeech.models.warping.geometry import WarpGeometry
from cospeech.pose.track import PoseTrack
from cospeech.pose.track_file import save_track
from stages import train_deformer
from tests.helpers.limbs import person
from tests.stages.tiny_project import Bar, context_of, tiny_params

SIZE, FRAMES = 64, 8
CLIPS = {"ann-1": "train", "bob-1": "train", "ann-2": "test"}
TORSO = slice(25, 39)
"""Columns."""
LIFT = 2.5
"""Pixels by which the stripes are lower in later frames; the elbows rise meanwhile."""


def make_project(root: Path) -> Workspace:
    workspace = Workspace(root)
    points = torch.view_as_real(person()).numpy() * SIZE
    for clip in CLIPS:
        keypoints = np.repeat(points[None], FRAMES, 0)
        risen = np.linspace(0, 1, FRAMES)
        keypoints[:, [7, 8], 1] -= 8 * risen[:, None]
        lower = np.arange(SIZE)[None] - LIFT * risen[:, None]
        frames = np.full((FRAMES, SIZE, SIZE, 3), 90, np.uint8)
        frames[:, 24:, TORSO] = (128 + 100 * np.sin(lower * 2 * np.pi / 10))[:, 24:, None, None]
        write_video(workspace.video(clip), frames, 25)
        confidence = np.ones((FRAMES, 133), np.float32)
        save_track(workspace.poses(clip), PoseTrack(keypoints.astype(np.float32), confidence, (SIZE, SIZE)), "test")
    blank = dict.fromkeys(CURATED_COLUMNS)
    rows = [
        {**blank, "clip": clip, "speaker": clip[:3], "split": split, "kept": True, "reasons": "[]", "status": "ok",
         "frames": FRAMES}
        for clip, split in CLIPS.items()
    ]  # fmt: skip
    Curated(pd.DataFrame(rows)).save(workspace.curated)
    return workspace


def with_steps(params: Params, steps: int, **others: object) -> Params:
    section = params.deformer
    optimisation = section.optimisation.model_copy(update={"steps": steps, "lr": 0.01})
    update = {"optimisation": optimisation, "poses": 4, **others}
    return params.model_copy(update={"deformer": section.model_copy(update=update)})


@pytest.fixture(scope="module")
def params(repository: Path) -> Params:
    return with_steps(tiny_params(repository), 80)


@pytest.fixture(scope="module")
def trained(params: Params, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, StageReport]:
    workspace = make_project(tmp_path_factory.mktemp("project"))
    return workspace, train_deformer.run(params, context_of(workspace.root))


def test_it_learns_how_clothes_move(trained: tuple[Workspace, StageReport]) -> None:
    workspace, report = trained
    figures = report.figures
    assert figures["psnr"] > figures["psnr_without"] + 1.5
    assert figures["test_clips"] == 1
    assert f"{figures['psnr']:.2f} dB" in report.summary
    for picture in report.pictures.values():
        assert (workspace.stage_report("train_deformer") / picture.name).is_file()
    clip = load_posed(workspace, "ann-2", 99, SIZE)
    pairs = pair_up([clip], [0], [torch.arange(1, FRAMES)], WarpGeometry(), torch.device("cpu"))
    deformer = Deformer.from_pretrained(workspace.model("deformer"))
    with torch.no_grad():
        assert pairs.error(deformer) < 0.8 * pairs.error(Deformer())


def test_an_interrupted_run_goes_on_to_the_same_weights(
    trained: tuple[Workspace, StageReport], params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = make_project(tmp_path)
    monkeypatch.setattr("cospeech.training.checkpoint.Checkpoint.due", lambda checkpoint: True)
    with pytest.raises(KeyboardInterrupt):
        train_deformer.run(params, context_of(tmp_path, Bar(stop_after=20)))
    assert not workspace.model("deformer").exists()
    bar = Bar()
    train_deformer.run(params, context_of(tmp_path, bar))
    assert bar.done == 80
    weights = "diffusion_pytorch_model.safetensors"
    ends = [file_digest(each.model("deformer") / weights) for each in (workspace, trained[0])]
    assert ends[0] == ends[1]


def test_it_starts_from_a_pretrained_one_of_its_shape(
    trained: tuple[Workspace, StageReport], params: Params, tmp_path: Path
) -> None:
    make_project(tmp_path)
    given = trained[0].model("deformer")
    report = train_deformer.run(with_steps(params, 1, pretrained=given), context_of(tmp_path))
    assert report.figures["psnr"] > report.figures["psnr_without"] + 1.5
    with pytest.raises(ValueError, match=r"deformer\.pretrained=.* does not fit: width 16 where params say 17"):
        train_deformer.run(with_steps(params, 1, pretrained=given, width=17), context_of(tmp_path))


def test_where_no_reference_is_deformed_it_changes_nothing(params: Params, tmp_path: Path, repository: Path) -> None:
    workspace = make_project(tmp_path)
    wan = load_params(repository / "params/paper.yaml").wan
    assert wan is not None
    report = train_deformer.run(params.model_copy(update={"wan": wan}), context_of(tmp_path))
    assert "nothing to learn" in report.summary
    assert not Deformer.from_pretrained(workspace.model("deformer")).last.weight.any()


def test_without_training_clips_it_says_so(params: Params, tmp_path: Path) -> None:
    workspace = make_project(tmp_path)
    table = Curated.load(workspace.curated).table
    Curated(table.assign(split="test")).save(workspace.curated)
    with pytest.raises(ValueError, match=r"curated\.parquet: no clip is kept for training"):
        train_deformer.run(params, context_of(tmp_path))


def test_frames_are_spread_over_a_clip_and_paired_in_order(trained: tuple[Workspace, StageReport]) -> None:
    workspace = trained[0]
    ann, bob = (load_posed(workspace, clip, 3, SIZE) for clip in ("ann-1", "bob-1"))
    real = read_frames(workspace.video("ann-1"))
    assert torch.equal(torch.from_numpy(ann.frames), torch.from_numpy(real[[0, 4, 7]]))
    pairs = pair_up(
        [ann, bob], [2, 0], [torch.tensor([0, 1]), torch.tensor([1, 2])], WarpGeometry(), torch.device("cpu")
    )
    assert torch.equal(pairs.real_B3SS, torch.cat([ann.pictures(slice(0, 2)), bob.pictures(slice(1, 3))]))
    assert torch.equal(pairs.still.points_BK, torch.stack([ann.pose.points_BK[2]] * 2 + [bob.pose.points_BK[0]] * 2))
    assert torch.equal(pairs.posed.points_BK[3], bob.pose.points_BK[2])
    assert torch.equal(pairs.layers.picture_BCHW[1], ann.pictures(slice(2, 3))[0])


def test_hands_are_not_asked_of_it(trained: tuple[Workspace, StageReport]) -> None:
    clip = load_posed(trained[0], "ann-1", FRAMES, SIZE)
    pairs = draw_pairs([clip], 1, 2, torch.Generator().manual_seed(0), WarpGeometry(), torch.device("cpu"))
    untrained = Deformer()
    before, hand = pairs.error(untrained), clip.pose.points_BK[0, 100] * SIZE
    row, column = int(hand.imag), int(hand.real)
    pairs.real_B3SS[:, :, row - 1 : row + 2, column - 1 : column + 2] = 9
    assert pairs.error(untrained) == before
    pairs.real_B3SS[:, :, 40:44, 30:34] = 9
    assert pairs.error(untrained) > before
