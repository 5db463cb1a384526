"""What Wan's teacher and student draw, in windows and whole, and footage that goes all the way."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cospeech.config import Params
from cospeech.datasets.attention_plans import plan_windows
from cospeech.datasets.loss_weights import CellWeights
from cospeech.datasets.windows import Window
from cospeech.harness.files import read_json
from cospeech.harness.workspace import Workspace
from cospeech.media import read_frames, write_video
from cospeech.media.sound import decode_speech
from cospeech.sampling.euler import first_noise, sample
from cospeech.sampling.generation import Sampler, draw
from cospeech.utils.images import to_images
from cospeech.utils.random import step_generator
from stages import (
    adapt_teacher,
    curate,
    distill_student,
    encode_latents,
    evaluate,
    extract_audio,
    extract_poses,
    ingest,
    teacher_targets,
    train_codec,
    train_teacher,
)
from tests.stages import tiny_run
from tests.stages.wan.support import changed, family_of


def sampler_of(params: Params, workspace: Workspace, name: str, **changes: int) -> Sampler:
    sampler = evaluate.load_samplers(params, workspace)[name]
    return replace(sampler, config=replace(sampler.config, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["teacher", "student"])
def test_a_long_stretch_is_drawn_in_windows_fused_by_latent_frame(
    params: Params, distilled: Workspace, name: str
) -> None:
    """21 frames, 6 latent ones, in windows of 3 that share 1: [0, 3), [2, 5), [3, 6), by hand for one step."""
    clip = family_of(params).clip(distilled, "bob-1", "bob", CellWeights(0, 0, 0))
    stretch, sampler = Window(clip, 0, 21, 0), sampler_of(params, distilled, name, steps=1)
    net, condition = sampler.denoiser, stretch.condition
    noise = first_noise((1, *stretch.latents.shape), sampler.config.temperature, step_generator(params.seed, 5))
    total, weight = torch.zeros_like(noise), torch.zeros(6)
    video = {(0, 3): (slice(0, 9), 1), (2, 5): (slice(5, 17), 4), (3, 6): (slice(9, 21), 4)}
    ramp = torch.tensor([1.0, 2.0, 1.0])
    with torch.no_grad():
        for (start, stop), (frames, first) in video.items():
            mask = sampler.config.attention
            plan = mask.plan(clip.track[frames], (4, 4), 4, first)
            part = replace(condition, control_BVThw=condition.control_BVThw[:, :, [0, *range(1 + start, 1 + stop)]])
            x0 = net(noise[:, :, start:stop], torch.ones(1), part, plan)
            total[:, :, start:stop] += x0 * ramp[:, None, None]
            weight[start:stop] += ramp
        expected = total / weight[:, None, None]
        assert weight.tolist() == [1, 2, 2, 3, 3, 1]
        frames = draw(sampler, stretch, params.seed, 5).frames
        shown = to_images(sampler.codec.decode_video(expected[0]))
    assert frames.shape == (21, 64, 64, 3)
    assert np.abs(frames.astype(int) - shown).max() <= 1
    assert frames.std() > 1


def test_a_window_that_covers_all_is_the_single_window(params: Params, distilled: Workspace) -> None:
    clip = family_of(params).clip(distilled, "bob-1", "bob", CellWeights(0, 0, 0))
    stretch, sampler = Window(clip, 0, 21, 0), sampler_of(params, distilled, "student", window=21, overlap=8)
    assert sampler.config.mask
    plan = plan_windows([stretch], sampler.denoiser.patch, sampler.config.attention)
    noise = first_noise((1, *stretch.latents.shape), sampler.config.temperature, step_generator(0, 0))
    latents = sample(sampler.denoiser, noise, stretch.condition, sampler.config, plan)
    single = to_images(sampler.codec.decode_video(latents[0]))
    np.testing.assert_array_equal(draw(sampler, stretch, 0, 0).frames, single)
    assert (draw(sampler_of(params, distilled, "student", window=9, overlap=4), stretch, 0, 0).frames != single).any()


def test_evaluation_draws_stretches_longer_than_a_window_measures_and_shows_them(
    params: Params, distilled: Workspace, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path)
    shutil.copytree(distilled.root, workspace.root, dirs_exist_ok=True)
    report = evaluate.run(changed(params, "evaluate", frames=21), tiny_run.context_of(workspace))
    assert report.figures["clips"] == 2
    assert report.figures["frames"] == 2 * 21
    metrics = read_json(workspace.metrics)
    assert {"teacher", "student", "copy_reference", "codec"} <= metrics.keys()
    assert metrics["student"]["psnr"] > 0
    assert metrics["speed"]["student_fps"] > 0
    whole = next(path for path in workspace.samples.iterdir() if "student" in path.name)
    assert len(read_frames(whole)) == 37  # of 40: 1 and a multiple of 4


def test_a_second_of_footage_goes_all_the_way(params: Params, repository: Path, tmp_path: Path) -> None:
    """From files as people have them to the report: no artifact is made up."""
    workspace, context = Workspace(tmp_path), tiny_run.context_of(Workspace(tmp_path))
    rows = ["uri,speaker,licence,consent,split"]
    for clip, split in (("adam-1", "train"), ("ines-1", "test")):
        source = repository / f"data/demo/clips/{clip}.mp4"
        speech = decode_speech(source, 16000, 0.0, 1.0).samples
        (tmp_path / "footage").mkdir(exist_ok=True)
        write_video(tmp_path / f"footage/{clip}.mp4", read_frames(source)[:25], 25, speech, 16000)
        rows.append(f"{clip}.mp4,{clip[:4]},CC0-1.0,given,{split}")
    (tmp_path / "footage/manifest.csv").write_text("\n".join(rows) + "\n")
    params = changed(params, "ingest", source=str(tmp_path / "footage"))
    params = changed(params, "curate", clip_seconds=0.5, voice_share=0.0, av_evidence=1.0)
    for stage in (
        ingest, extract_poses, extract_audio, curate, train_codec, encode_latents, train_teacher, adapt_teacher,
        teacher_targets, distill_student, evaluate,
    ):  # fmt: skip
        stage.run(params, context)
    metrics = read_json(workspace.metrics)
    assert metrics["student"]["psnr"] > 0
    assert workspace.html_report.is_file()
