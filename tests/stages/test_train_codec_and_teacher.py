"""train_codec, encode_latents, train_teacher in a row on clips of half a second, at the sizes of params/smoke.yaml."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cospeech.artifacts import Curated, Latents
from cospeech.artifacts.tables import CURATED_COLUMNS
from cospeech.config import Params, load_params
from cospeech.harness.context import Context
from cospeech.harness.files import file_digest
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.media import read_frames, write_video
from cospeech.metrics.image import psnr
from cospeech.models.autoencoders.codec import Codec
from cospeech.models.transformers.denoiser import Denoiser
from cospeech.pose.track import PoseTrack
from cospeech.pose.track_file import save_track
from cospeech.utils.images import to_images
from stages import encode_latents, train_codec, train_teacher

SIZE, FRAMES = 128, 12
CLIPS = {"a-1": ("a", "train"), "a-2": ("a", "test"), "b-1": ("b", "train"), "c-1": ("c", "test")}


class Bar:
    def update(self, n: int = 1, **figures: float) -> None: ...


@contextmanager
def no_bar(label: str, total: int) -> Iterator[Bar]:
    yield Bar()


def make_project(root: Path, test_seed: int = 100) -> Context:
    """Clips of a moving blob on a gradient; `test_seed` changes the held-out ones only."""
    workspace, rows = Workspace(root), []
    for number, (clip, (speaker, split)) in enumerate(CLIPS.items()):
        generator = np.random.default_rng(number if split == "train" else test_seed + number)
        centre = generator.uniform(40, 80, 2) + np.cumsum(generator.normal(0, 3, (FRAMES, 2)), 0)
        write_video(workspace.video(clip), _blob(centre, generator.uniform(60, 200, 3)), 25)
        keypoints = centre[:, None] + generator.normal(0, 15, (1, 133, 2))
        confidence = np.ones((FRAMES, 133), np.float32)
        save_track(workspace.poses(clip), PoseTrack(keypoints.astype(np.float32), confidence, (SIZE, SIZE)), "test")
        row = {**dict.fromkeys(CURATED_COLUMNS), "clip": clip, "speaker": speaker, "split": split}
        rows.append({**row, "kept": True, "reasons": "[]", "status": "ok", "frames": FRAMES})
    Curated(pd.DataFrame(rows)).save(workspace.curated)
    return Context(workspace, lambda: pytest.fail("no pool is needed"), no_bar)


def _blob(centre: np.ndarray, colour: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[:SIZE, :SIZE]
    distance = np.hypot(x - centre[:, 0, None, None], y - centre[:, 1, None, None])
    frames = np.stack([np.broadcast_to(x, distance.shape), distance, np.broadcast_to(y, distance.shape)], -1)
    return np.where(distance[..., None] < 20, colour, frames).clip(0, 255).astype(np.uint8)


def run_all(params: Params, context: Context) -> dict[str, StageReport]:
    stages = (train_codec, encode_latents, train_teacher)
    return {stage.__name__.split(".")[-1]: stage.run(params, context) for stage in stages}


def bytes_of(root: Path, below: str) -> dict[str, str]:
    return {str(path.relative_to(root)): file_digest(path) for path in (root / below).rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def params(repository: Path) -> Params:
    return load_params(repository / "params/smoke.yaml")


@pytest.fixture(scope="module")
def done(params: Params, tmp_path_factory: pytest.TempPathFactory) -> tuple[Context, dict[str, StageReport]]:
    context = make_project(tmp_path_factory.mktemp("project"))
    return context, run_all(params, context)


@torch.no_grad()
def test_codec_rebuilds_what_it_never_saw_as_well_as_it_says(done):
    context, reports = done
    workspace, figures = context.workspace, reports["train_codec"].figures
    codec = Codec.from_pretrained(workspace.model("codec") / "image").eval()
    values = []
    for clip in ("a-2", "c-1"):
        frames = read_frames(workspace.video(clip))
        latents = torch.from_numpy(Latents.load(workspace.latents(clip)).latents).float()
        values.append(psnr(to_images(codec.decode(latents)), frames).mean())
    assert figures["psnr_seen"] == pytest.approx(values[0], abs=0.5)
    assert figures["psnr_unseen"] == pytest.approx(values[1], abs=0.5)
    assert figures["psnr"] > 20


def test_every_kept_clip_is_encoded_with_its_skeletons(done):
    context, reports = done
    for clip in CLIPS:
        encoded = Latents.load(context.workspace.latents(clip))
        assert encoded.latents.shape == (FRAMES, 12, SIZE // 8, SIZE // 8)
        assert encoded.pose.shape == (FRAMES, 32, SIZE // 8, SIZE // 8)
        assert encoded.pose.astype(np.float32).std() > 0
    train = np.concatenate([Latents.load(context.workspace.latents(clip)).latents for clip in ("a-1", "b-1")])
    assert abs(float(train.astype(np.float32).std()) - 1) < 0.1
    assert reports["encode_latents"].figures["frames"] == FRAMES * len(CLIPS)


def test_teacher_loads_and_reports_people_seen_and_unseen_against_copying(done):
    context, reports = done
    Denoiser.from_pretrained(context.workspace.model("teacher"))
    figures = reports["train_teacher"].figures
    real = {clip: read_frames(context.workspace.video(clip)) for clip in CLIPS}
    window = slice(FRAMES // 2 - 2, FRAMES // 2 + 2)
    for who, clip in (("seen", "a-2"), ("unseen", "c-1")):
        copied = psnr(np.repeat(real[clip][:1], 4, 0), real[clip][window]).mean()
        assert figures[f"copy_{who}"] == pytest.approx(copied)
        assert figures[f"psnr_{who}"] > 5
    assert figures["train_clips"] == 2


def test_reports_bring_curves_and_pictures_and_nothing_is_left_in_scratch(done):
    context, reports = done
    for name, report in reports.items():
        folder = context.workspace.stage_report(name)
        assert StageReport.load(folder).figures == report.figures
        assert report.pictures
        assert all(path.is_file() for path in report.pictures.values())
    losses = pd.read_csv(context.workspace.stage_report("train_teacher") / "loss.csv")
    assert list(losses["step"]) == [0, 1, 2, 3]
    scratch = context.workspace.scratch
    assert not scratch.exists() or not list(scratch.iterdir())


def test_the_same_project_gives_the_same_bytes_and_held_out_clips_change_no_model(done, params, tmp_path):
    context, _ = done
    first = context.workspace.root
    same, other = make_project(tmp_path / "same"), make_project(tmp_path / "other", test_seed=200)
    run_all(params, same)
    run_all(params, other)
    for folder in ("models", "data/latents", "reports"):
        assert bytes_of(same.workspace.root, folder) == bytes_of(first, folder)
    assert bytes_of(other.workspace.root, "models") == bytes_of(first, "models")
    assert bytes_of(other.workspace.root, "reports") != bytes_of(first, "reports")


def test_a_pretrained_teacher_is_the_start_and_must_fit(done, params, tmp_path):
    context, _ = done
    source = Denoiser.from_pretrained(context.workspace.model("teacher"))
    source.save_pretrained(tmp_path / "pretrained")
    still = params.teacher.optimisation.model_copy(update={"lr": 1e-12, "weight_decay": 0.0})
    teacher = params.teacher.model_copy(update={"pretrained": tmp_path / "pretrained", "optimisation": still})
    train_teacher.run(params.model_copy(update={"teacher": teacher}), context)
    tuned = Denoiser.from_pretrained(context.workspace.model("teacher"))
    for name, value in source.state_dict().items():
        torch.testing.assert_close(tuned.state_dict()[name], value, atol=1e-6, rtol=0)
    wider = teacher.model_copy(update={"conv_width": 16})
    with pytest.raises(ValueError, match="does not fit: conv_width 8 where params say 16"):
        train_teacher.run(params.model_copy(update={"teacher": wider}), context)


def test_a_pretrained_codec_keeps_its_latents_and_poses_and_its_decoder_learns_on(done, params, tmp_path):
    source = done[0].workspace.model("codec")
    context = make_project(tmp_path / "other people", test_seed=300)
    section = params.codec.model_copy(update={"pretrained": source})
    train_codec.run(params.model_copy(update={"codec": section}), context)
    before = Codec.from_pretrained(source / "image").state_dict()
    after = Codec.from_pretrained(context.workspace.model("codec") / "image").state_dict()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert {name.split(".")[0] for name in changed} == {
        "decode_patches", "decode_in", "decode_body", "decode_up", "detail_body", "decode_out", "sensitivity",
    }  # fmt: skip
    assert bytes_of(source, "pose") == bytes_of(context.workspace.model("codec"), "pose")
    wider = section.model_copy(update={"decoder_width": 16})
    with pytest.raises(ValueError, match=r"codec.pretrained=.* does not fit: decoder_width 8 where params say 16"):
        train_codec.run(params.model_copy(update={"codec": wider}), context)


def test_no_clip_for_training_is_an_error_for_people(params, tmp_path):
    context = make_project(tmp_path)
    table = Curated.load(context.workspace.curated).table
    Curated(table.assign(kept=False)).save(context.workspace.curated)
    with pytest.raises(ValueError, match="no clip is kept for training"):
        train_codec.run(params, context)
    with pytest.raises(ValueError, match="no clip is kept"):
        encode_latents.run(params, context)
