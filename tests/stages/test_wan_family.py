"""Wan 2.1 through the stages, on tiny models of diffusers' and transformers' own classes."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLWan, WanVACEPipeline
from diffusers.pipelines.wan import pipeline_wan_vace
from pydantic import ValidationError
from transformers import AutoTokenizer, UMT5EncoderModel

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
from stages.lib.artifacts import Prompts, Targets, WindowLatents
from stages.lib.dataset import CellWeights, Window, longest_window, middle_window
from stages.lib.distillation import plan_windows
from stages.lib.evaluation.drawing import Sampler, draw
from stages.lib.family import Family, pick_family
from stages.lib.files import folder_digest, read_json
from stages.lib.media import read_frames, write_video
from stages.lib.media.sound import decode_speech
from stages.lib.nets.wan import WanTeacher, load_student, load_teacher
from stages.lib.nets.wan_codec import WanCodec
from stages.lib.pixels import to_pictures, to_tensor
from stages.lib.report import StageReport
from stages.lib.sampling import sample
from stages.lib.training import step_generator
from stages.lib.wan.clips import spread
from stages.lib.workspace import Workspace
from stages.params import Params
from tests.stages import tiny_run
from tests.stages.tiny_project import Bar, context_of
from tests.stages.tiny_wan import FRAMES, save_pipelines, wan_params

CLIPS = ("ann-1", "ann-2", "bob-1")
T = 1 + (FRAMES - 1) // 4


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pipelines(tmp_path_factory.mktemp("pipelines"))


@pytest.fixture(scope="module")
def params(repository: Path, pipelines: Path) -> Params:
    return wan_params(repository, pipelines)


@pytest.fixture(scope="module")
def encoded(params: Params, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Codec, prompts and latents in place; the embedded models are gone."""
    workspace = tiny_run.make_workspace(tmp_path_factory.mktemp("project"))
    for name in ("codec", "teacher", "student"):
        shutil.rmtree(workspace.model(name))
    for stage in (train_codec, encode_latents):
        stage.run(params, context_of(workspace.root))
    return workspace


@pytest.fixture(scope="module")
def taught(params: Params, encoded: Workspace) -> Workspace:
    for stage in (train_teacher, adapt_teacher, teacher_targets):
        stage.run(params, context_of(encoded.root))
    return encoded


@pytest.fixture(scope="module")
def distilled(params: Params, taught: Workspace) -> Workspace:
    distill_student.run(params, context_of(taught.root))
    return taught


def family_of(params: Params) -> Family:
    assert params.wan is not None
    return pick_family(params.wan.model_dump(), params.teacher.precision, params.seed)


def changed(params: Params, section: str, **values: object) -> Params:
    return Params.model_validate({**params.model_dump(), section: {**params.model_dump()[section], **values}})


@torch.no_grad()
def test_prompts_are_encoded_as_the_pipeline_does(
    pipelines: Path, encoded: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ftfy:
        @staticmethod
        def fix_text(text: str) -> str:
            return text

    monkeypatch.setattr(pipeline_wan_vace, "ftfy", Ftfy, raising=False)
    pipeline = WanVACEPipeline(
        tokenizer=AutoTokenizer.from_pretrained(pipelines / "teacher/tokenizer"),
        text_encoder=UMT5EncoderModel.from_pretrained(pipelines / "teacher/text_encoder"),
        vae=AutoencoderKLWan.from_pretrained(pipelines / "teacher/vae"), scheduler=None, transformer=None,
    )  # fmt: skip
    prompts = Prompts.load(encoded.model("codec") / "prompts.safetensors")
    for found, prompt in ((prompts.positive, " a person  speaks to\nthe camera "), (prompts.negative, "blurred")):
        expected = pipeline._get_t5_prompt_embeds(prompt, max_sequence_length=512, device=torch.device("cpu"))[0]
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    assert np.abs(prompts.positive[:7]).min(1).max() > 0
    assert not prompts.positive[7:].any()


def test_every_clip_is_encoded_in_windows_of_its_own(params: Params, encoded: Workspace) -> None:
    codec = WanCodec.from_pretrained(encoded.model("codec") / "vae")
    for clip in CLIPS:
        found = WindowLatents.load(encoded.latents(clip))
        assert found.starts.tolist() == [0, 16, 31]  # of 40 frames, 9 a window
        assert found.references.tolist() == [0, 39]
        assert found.latents.shape == found.pose.shape == (3, 16, T, 8, 8)
        assert found.whole.shape == found.whole_pose.shape == (16, 0 if clip == "ann-1" else 10, 8, 8)
        frames = to_tensor(read_frames(encoded.video(clip)))
        latents = codec.encode_video(frames[16:25]).numpy()
        np.testing.assert_allclose(found.latents[1], latents, atol=2e-3)
        np.testing.assert_allclose(found.pictures[1], codec.encode_pictures(frames[39:])[0].numpy(), atol=2e-3)
        assert np.abs(found.latents[1] - found.pose[1]).max() > 0.01
    report = StageReport.load(encoded.stage_report("encode_latents"))
    assert report.figures == {"clips": 3, "frames": 120, "latent_channels": 16}
    assert all(path.is_file() for path in report.pictures.values())


def test_held_out_clips_are_encoded_whole_too(params: Params, encoded: Workspace) -> None:
    codec = WanCodec.from_pretrained(encoded.model("codec") / "vae")
    training, held_out = (family_of(params).clip(encoded, clip, clip[:3], CellWeights(0, 0, 0)) for clip in CLIPS[:2])
    assert training.starts(37) == []
    assert held_out.starts(37) == held_out.starts(21) == [0]
    assert held_out.starts(FRAMES) == [0, 16, 31]
    assert held_out.starts(20) == held_out.starts(41) == []
    frames = to_tensor(read_frames(encoded.video("ann-2")))
    assert held_out.latents(slice(0, 37)).shape == (16, 10, 8, 8)
    expected = codec.encode_video(frames[:21]).numpy()  # the first latents of more frames are those of fewer
    np.testing.assert_allclose(held_out.latents(slice(0, 21)), expected, atol=2e-3)
    assert held_out.condition(slice(0, 21), 39).control_BVThw.shape == (1, 2 * 16 + 64, 1 + 6, 8, 8)
    assert middle_window(held_out, 40) == longest_window(held_out) == Window(held_out, 0, 37, 0)
    moved = held_out.moved(slice(0, 21), torch.ones(16, 6, 8, 8), held_out.keypoints, held_out.confidence, 0)
    assert (moved.condition(slice(0, 21), 0).pose == 1).all()
    assert torch.equal(moved.latents(slice(0, 21)), held_out.latents(slice(0, 21)))
    with pytest.raises(ValueError, match=r"frames 4 to 25 are not an encoded window.* from its first frame on 10"):
        held_out.latents(slice(4, 25))


def test_the_condition_is_what_the_pipeline_prepares(params: Params, encoded: Workspace) -> None:
    """Control from the stored latents against `encode_control`'s from pictures, which equals diffusers'."""
    clip = family_of(params).clip(encoded, "ann-1", "ann", CellWeights(0, 0, 0))
    found = clip.condition(slice(16, 25), 39)
    assert found.control_BVThw.shape == (1, 2 * 16 + 64, 1 + T, 8, 8)
    assert found.pose.shape == (1, 16, T, 8, 8)
    assert torch.equal(found.control_BVThw[0, 32:, 0], torch.zeros(64, 8, 8))
    assert torch.equal(found.control_BVThw[0, 32:, 1:], torch.ones(64, T, 8, 8))
    assert torch.equal(clip.condition(slice(16, 25), 39).noise_BChw, found.noise_BChw)
    assert not torch.equal(clip.condition(slice(16, 25), 39, seed=1).noise_BChw, found.noise_BChw)
    with pytest.raises(ValueError, match=r"ann-1: frames 15 to 24 are not an encoded window.* from 0, 16, 31"):
        clip.latents(slice(15, 24))
    with pytest.raises(ValueError, match="frame 3 is not encoded as a reference"):
        clip.condition(slice(16, 25), 3)
    assert middle_window(clip, FRAMES) == Window(clip, 16, 25, 0)


def test_what_counts_in_a_video_frame_counts_in_its_latent_frame(params: Params, encoded: Workspace) -> None:
    clip = family_of(params).clip(encoded, "ann-1", "ann", CellWeights(hands=3, face=2, lips=3))
    weights = clip.weights(slice(0, FRAMES))
    assert weights.shape == (T, 8, 8)
    assert torch.equal(weights[1], torch.from_numpy(clip.weights_Fhw[1:5].max(0)))
    assert weights.max() > 1


def test_windows_are_spread_over_a_clip() -> None:
    assert spread(32, 3).tolist() == [0, 16, 31]
    assert spread(32, 1).tolist() == [15]
    assert spread(2, 5).tolist() == [0, 1]
    assert spread(0, 5).tolist() == []


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
    monkeypatch.setattr("stages.lib.checkpoint.Checkpoint.due", lambda self: True)
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
    monkeypatch.setattr("stages.lib.checkpoint.Checkpoint.due", lambda self: True)
    with pytest.raises(KeyboardInterrupt):
        distill_student.run(params, context_of(distilled.root, Bar(stop_after=stop_after)))
    distill_student.run(params, context_of(distilled.root))
    assert folder_digest(distilled.model("student")) == whole


def test_evaluation_measures_both_and_shows_them(params: Params, distilled: Workspace) -> None:
    report = evaluate.run(params, tiny_run.context_of(distilled))
    metrics = read_json(distilled.metrics)
    assert {"teacher", "student", "copy_reference", "codec"} <= metrics.keys()
    assert metrics["student"]["psnr"] > 0
    assert metrics["speed"]["student_fps"] > 0
    assert report.figures["clips"] == 2
    whole = next(path for path in distilled.samples.iterdir() if "student" in path.name)
    assert len(read_frames(whole)) == 37  # of 40: 1 and a multiple of 4


def sampler_of(params: Params, workspace: Workspace, name: str, **changes: int) -> Sampler:
    return replace(evaluate.load_samplers(params, workspace)[name], **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["teacher", "student"])
def test_a_long_stretch_is_drawn_in_windows_fused_by_latent_frame(
    params: Params, distilled: Workspace, name: str
) -> None:
    """21 frames, 6 latent ones, in windows of 3 that share 1: [0, 3), [2, 5), [3, 6), by hand for one step."""
    clip = family_of(params).clip(distilled, "bob-1", "bob", CellWeights(0, 0, 0))
    stretch, sampler = Window(clip, 0, 21, 0), sampler_of(params, distilled, name, steps=1)
    net, condition = sampler.denoiser, stretch.condition
    noise = torch.randn((1, *stretch.latents.shape), generator=step_generator(params.seed, 5))
    total, weight = torch.zeros_like(noise), torch.zeros(6)
    video = {(0, 3): (slice(0, 9), 1), (2, 5): (slice(5, 17), 4), (3, 6): (slice(9, 21), 4)}
    ramp = torch.tensor([1.0, 2.0, 1.0])
    with torch.no_grad():
        for (start, stop), (frames, first) in video.items():
            plan = None
            if sampler.mask is not None:
                plan = sampler.mask.plan(clip.keypoints[frames], clip.confidence[frames], (4, 4), 4, first)
            part = replace(condition, control_BVThw=condition.control_BVThw[:, :, [0, *range(1 + start, 1 + stop)]])
            x0 = net(noise[:, :, start:stop], torch.ones(1), part, plan)
            total[:, :, start:stop] += x0 * ramp[:, None, None]
            weight[start:stop] += ramp
        expected = total / weight[:, None, None]
        assert weight.tolist() == [1, 2, 2, 3, 3, 1]
        frames = draw(sampler, stretch, params.seed, 5).frames
        shown = to_pictures(sampler.codec.decode_video(expected[0]))
    assert frames.shape == (21, 64, 64, 3)
    assert np.abs(frames.astype(int) - shown).max() <= 1
    assert frames.std() > 1


def test_a_window_that_covers_all_is_the_single_window(params: Params, distilled: Workspace) -> None:
    clip = family_of(params).clip(distilled, "bob-1", "bob", CellWeights(0, 0, 0))
    stretch, sampler = Window(clip, 0, 21, 0), sampler_of(params, distilled, "student", window=21, overlap=8)
    assert sampler.mask is not None
    plan = plan_windows([stretch], sampler.denoiser.patch, sampler.mask)
    noise = torch.randn((1, *stretch.latents.shape), generator=step_generator(0, 0))
    latents = sample(sampler.denoiser, noise, stretch.condition, sampler.steps, sampler.shift, plan)
    single = to_pictures(sampler.codec.decode_video(latents[0]))
    np.testing.assert_array_equal(draw(sampler, stretch, 0, 0).frames, single)
    assert (draw(replace(sampler, window=9, overlap=4), stretch, 0, 0).frames != single).any()


def test_evaluation_draws_stretches_longer_than_a_window(params: Params, distilled: Workspace, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    shutil.copytree(distilled.root, workspace.root, dirs_exist_ok=True)
    report = evaluate.run(changed(params, "evaluate", frames=21), tiny_run.context_of(workspace))
    assert report.figures["frames"] == 2 * 21
    whole = next(path for path in workspace.samples.iterdir() if "student" in path.name)
    assert len(read_frames(whole)) == 37


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("wan", {"frames": 8}, "takes 1 and a multiple of 4"),
        ("adapt", {"frames": 5}, "wan.frames 9: not so adapt.frames 5"),
        ("teacher", {"window_share": 0.5}, "window_share must be 1"),
        ("evaluate", {"frames": 20}, "evaluate.frames must be 1 and a multiple of 4"),
        ("evaluate", {"overlap": 2}, "evaluate.overlap a multiple of 4"),
        ("teacher", {"precision": "auto"}, "found auto and fp32"),
        ("student", {"precision": "bf16"}, "found fp32 and bf16"),
        ("evaluate", {"window": 13}, "wan.frames 9: not so evaluate.window 13"),
        ("attention", {"stream": {"chunk": 1, "frames": 2, "recent": 1}}, "not built for the Wan family yet"),
        ("codec", {"pretrained": "models/codec"}, "must be null"),
    ],
)
def test_what_does_not_go_with_wan_is_refused(
    params: Params, section: str, values: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        changed(params, section, **values)


def test_nothing_is_fetched_unless_params_say_so(params: Params, encoded: Workspace) -> None:
    absent = changed(params, "wan", teacher="Somebody/Wan", student="Somebody/Wan")
    with pytest.raises(ValueError, match=r"wan.teacher: 'Somebody/Wan' holds no usable model .* wan.hub be true"):
        train_codec.run(absent, context_of(encoded.root))
    assert (encoded.model("codec") / "vae").is_dir(), "what was there stays"


def test_latents_of_the_other_family_are_an_error(encoded: Workspace) -> None:
    with pytest.raises(ValueError, match="window latents version 2 where latents version 1 was expected"):
        pick_family(None).clip(encoded, "ann-1", "ann", CellWeights(0, 0, 0))


def test_a_second_of_footage_goes_all_the_way(params: Params, repository: Path, tmp_path: Path) -> None:
    """From files as people have them to the report: no artifact is made up."""
    workspace, context = Workspace(tmp_path), tiny_run.context_of(Workspace(tmp_path))
    rows = ["uri,speaker,licence,consent,split"]
    for clip, split in (("adam-1", "train"), ("ines-1", "test")):
        source = repository / f"data/demo/clips/{clip}.mp4"
        speech = decode_speech(source, 16000, 0.0, 1.0)
        (tmp_path / "footage").mkdir(exist_ok=True)
        write_video(tmp_path / f"footage/{clip}.mp4", read_frames(source)[:25], 25, speech, 16000)
        rows.append(f"{clip}.mp4,{clip[:4]},CC0-1.0,synthetic,{split}")
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
