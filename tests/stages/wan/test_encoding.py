"""Prompts, clips and conditions of Wan 2.1, on tiny models of diffusers' and transformers' own classes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLWan, WanVACEPipeline
from diffusers.pipelines.wan import pipeline_wan_vace
from pydantic import ValidationError
from transformers import AutoTokenizer, UMT5EncoderModel

from cospeech.artifacts import Prompts, WindowLatents
from cospeech.config import Params
from cospeech.datasets.loss_weights import CellWeights
from cospeech.datasets.windows import Window, longest_window, middle_window
from cospeech.families.factory import pick_family
from cospeech.families.wan.clips import window_starts
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.media import read_frames
from cospeech.models.autoencoders.wan_vae import WanCodec
from cospeech.utils.images import to_tensor
from stages import (
    train_codec,
)
from tests.stages.tiny_project import context_of
from tests.stages.wan.support import changed, family_of
from tests.stages.wan.tiny_wan import FRAMES

CLIPS = ("ann-1", "ann-2", "bob-1")
T = 1 + (FRAMES - 1) // 4


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
    assert report.pictures
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
    moved = held_out.moved(slice(0, 21), torch.ones(16, 6, 8, 8), held_out.track, 0)
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
    assert window_starts(32, 3).tolist() == [0, 16, 31]
    assert window_starts(32, 1).tolist() == [15]
    assert window_starts(2, 5).tolist() == [0, 1]
    assert window_starts(0, 5).tolist() == []


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("wan", {"frames": 8}, r"frames is 8.* 4"),
        ("adapt", {"frames": 5}, r"wan\.frames 9.* adapt\.frames 5"),
        ("teacher", {"window_share": 0.5}, r"window_share must be 1"),
        ("evaluate", {"frames": 20}, r"evaluate\.frames .* 20 and"),
        ("evaluate", {"overlap": 2}, r"evaluate\.overlap .* and 2"),
        ("teacher", {"precision": "auto"}, r"auto and fp32"),
        ("student", {"precision": "bf16"}, r"fp32 and bf16"),
        ("evaluate", {"window": 13}, r"wan\.frames 9.* evaluate\.window 13"),
        ("codec", {"pretrained": "models/codec"}, r"codec\.pretrained .* null"),
    ],
)
def test_what_does_not_go_with_wan_is_refused(
    params: Params, section: str, values: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        changed(params, section, **values)


def test_nothing_is_fetched_unless_params_say_so(params: Params, encoded: Workspace) -> None:
    absent = changed(params, "wan", teacher="Somebody/Wan", student="Somebody/Wan")
    with pytest.raises(ValueError, match=r"wan\.teacher: 'Somebody/Wan' .* wan\.hub"):
        train_codec.run(absent, context_of(encoded.root))
    assert (encoded.model("codec") / "vae").is_dir(), "what was there stays"


def test_latents_of_the_other_family_are_an_error(encoded: Workspace) -> None:
    with pytest.raises(ValueError, match=r"window latents version 2.*latents version 1"):
        pick_family(None).clip(encoded, "ann-1", "ann", CellWeights(0, 0, 0))
