from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cospeech.artifacts import Curated, Latents
from cospeech.artifacts.tables import CURATED_COLUMNS
from cospeech.datasets.loss_weights import CellWeights, cell_weights
from cospeech.datasets.windows import Window, collate, draw_windows, load_clips
from cospeech.harness.workspace import Workspace
from cospeech.pose import skeleton
from cospeech.pose.track import PoseTrack
from cospeech.pose.track_file import load_track, save_track
from cospeech.utils.random import step_generator

WEIGHTS = CellWeights(hands=3.0, face=2.0, lips=3.0)
GRID = (8, 8)


def make_workspace(root: Path, lengths: dict[str, int], split: str = "train") -> tuple[Workspace, Curated]:
    """Clips whose latents say where they are from: channel 0 is the clip's number, channel 1 the frame's."""
    workspace, rows = Workspace(root), []
    for number, (clip, frames) in enumerate(lengths.items()):
        latents = np.zeros((frames, 2, *GRID), np.float16)
        latents[:, 0], latents[:, 1] = number, np.arange(frames)[:, None, None]
        pose = np.repeat(latents[:, 1:], 3, 1) + 0.5
        Latents(latents, pose).save(workspace.latents(clip))
        keypoints = np.full((frames, 133, 2), 32.0, np.float32)
        track = PoseTrack(keypoints, np.ones((frames, 133), np.float32), (64, 64))
        save_track(workspace.poses(clip), track, "test")
        row = dict.fromkeys(CURATED_COLUMNS)
        rows.append({**row, "clip": clip, "speaker": f"p{number}", "split": split, "kept": True, "reasons": "[]"})
    return workspace, Curated(pd.DataFrame(rows))


def test_windows_and_references_come_whole_from_one_clip(tmp_path):
    workspace, curated = make_workspace(tmp_path, {"a": 9, "b": 3, "c": 6})
    clips = load_clips(workspace, curated, "train", WEIGHTS)
    batch = draw_windows(clips, 64, 4, step_generator(0, 0))
    assert batch.latents_BCThw.shape == (64, 2, 4, *GRID)
    assert batch.condition.pose_BPThw.shape == (64, 3, 4, *GRID)
    assert batch.weights_BThw.shape == (64, 4, *GRID)
    numbers = batch.latents_BCThw[:, 0, 0, 0, 0]
    assert set(numbers.tolist()) == {0.0, 2.0}, "clip b is shorter than a window"
    assert torch.equal(batch.condition.reference_BChw[:, 0, 0, 0], numbers)
    first = batch.latents_BCThw[:, 1, :, 0, 0]
    assert (first.diff(dim=1) == 1).all()
    assert torch.equal(batch.condition.pose_BPThw[:, 0, :, 0, 0], first + 0.5)
    reference = batch.condition.reference_BChw[:, 1, 0, 0]
    assert torch.equal(batch.condition.reference_pose_BPhw[:, 0, 0, 0], reference + 0.5)
    assert len(set(reference.tolist())) > 4, "any frame may be the reference"
    for row, window in zip(first, batch.windows, strict=True):
        assert (window.start, window.stop) == (row[0], row[-1] + 1)


def test_the_same_generator_draws_the_same_windows(tmp_path):
    workspace, curated = make_workspace(tmp_path, {"a": 9, "b": 7})
    clips = load_clips(workspace, curated, "train", WEIGHTS)
    first, second, third = (draw_windows(clips, 8, 2, step_generator(0, step)) for step in (1, 1, 2))
    assert first.windows == second.windows
    assert first.windows != third.windows


def test_only_the_asked_split_is_loaded(tmp_path):
    workspace, curated = make_workspace(tmp_path, {"a": 4}, split="test")
    assert load_clips(workspace, curated, "train", WEIGHTS) == []
    clip = load_clips(workspace, curated, "test", WEIGHTS)[0]
    assert (clip.clip, clip.speaker, len(clip)) == ("a", "p0", 4)
    batch = collate([Window(clip, 1, 3, 0)])
    assert batch.latents_BCThw[0, 1, :, 0, 0].tolist() == [1.0, 2.0]


def test_short_clips_and_missing_frames_are_named(tmp_path):
    workspace, curated = make_workspace(tmp_path, {"a": 4, "b": 5})
    clips = load_clips(workspace, curated, "train", WEIGHTS)
    with pytest.raises(ValueError, match=r"no training clip has 8 frames \(the longest of 2 has 5\)"):
        draw_windows(clips, 1, 8, step_generator(0, 0))
    save_track(workspace.poses("b"), load_track(workspace.poses("b"))[:3], "test")
    with pytest.raises(ValueError, match="b: 5 frames of latents but 3 of poses"):
        load_clips(workspace, curated, "train", WEIGHTS)


def test_cells_near_seen_hands_face_and_lips_weigh_more():
    track = PoseTrack(np.full((1, 133, 2), -9.0, np.float32), np.ones((1, 133), np.float32), (8, 8))
    track.keypoints[0, skeleton.RIGHT_HAND] = (1.5, 6.5)
    track.keypoints[0, skeleton.FACE] = (4.5, 1.5)
    weights = cell_weights(track, GRID, WEIGHTS)[0]
    assert weights[6, 1] == 4
    assert weights[6, 2] == 4
    assert weights[6, 3] == 1
    assert weights[1, 4] == 6, "the mouth lies on the face here: 1 + 2 + 3"
    assert weights[1, 5] == 6
    assert weights[2, 5] == 3, "1.41 cells off: near the face, not near the lips"
    assert weights[4, 4] == 1
    assert cell_weights(track.without(skeleton.RIGHT_HAND), GRID, WEIGHTS)[0][6, 1] == 1
