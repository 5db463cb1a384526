"""Wan as teacher and student, on tiny models of diffusers' own classes."""

from pathlib import Path

import pytest
import torch
from diffusers import (
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    WanTransformer3DModel,
    WanVACEPipeline,
    WanVACETransformer3DModel,
)

from cospeech.attention.plan import AttentionPlan
from cospeech.models.autoencoders import wan_vae as wan_codec
from cospeech.models.transformers import wan
from cospeech.models.transformers.lora import add_lora
from cospeech.sampling.config import SamplingConfig
from cospeech.sampling.euler import sample
from cospeech.training.checkpoint import Checkpoint
from cospeech.training.dmd import draw_few_steps, matching_loss
from cospeech.training.losses import add_noise, denoising_loss
from cospeech.training.trainer import Learner, Optimisation, seeded, train_together

B, T, SIDE, CELLS, TEXT = 1, 3, 16, 2, 12
WAN = {
    "patch_size": (1, 1, 1), "num_attention_heads": 2, "attention_head_dim": 12, "in_channels": 16, "out_channels": 16,
    "text_dim": TEXT, "freq_dim": 8, "ffn_dim": 16, "num_layers": 2, "cross_attn_norm": True,
}  # fmt: skip
SETTINGS = Optimisation(steps=2, lr=1e-2, warmup=1, hold=0.5, betas=(0.9, 0.99), weight_decay=0.0, clip=1.0, ema=0.5)


class Bar:
    def update(self, n: int = 1, **figures: float) -> None:
        pass


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As people have it: a pipeline's folder, without text encoder."""
    with seeded(0):
        vae = AutoencoderKLWan(base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1,
                               temperal_downsample=[False, True, True])  # fmt: skip
        transformer = WanVACETransformer3DModel(**WAN, vace_layers=[0], vace_in_channels=96)
        base = WanTransformer3DModel(**WAN)
    folder = tmp_path_factory.mktemp("wan")
    vae.save_pretrained(folder / "teacher/vae")
    transformer.save_pretrained(folder / "teacher/transformer")
    base.save_pretrained(folder / "student/transformer")
    return folder


@pytest.fixture(scope="module")
def vae(folder: Path) -> AutoencoderKLWan:
    return AutoencoderKLWan.from_pretrained(folder / "teacher/vae").eval().requires_grad_(False)


@pytest.fixture(scope="module")
def condition(vae: AutoencoderKLWan) -> wan.WanCondition:
    poses, reference = draw(B, 3, 4 * T - 3, SIDE, SIDE).clamp(-1, 1), draw(B, 3, SIDE, SIDE, seed=1).clamp(-1, 1)
    control = wan_codec.encode_control(vae, poses, reference)
    return wan.WanCondition(control, draw(B, 5, TEXT), draw(B, 16, CELLS, CELLS, seed=2), draw(B, 4, TEXT, seed=3))


def plan() -> AttentionPlan:
    """Each frame sees the two before it; half its tokens have a region."""
    past = torch.tensor([[[-1, -1], [0, -1], [1, 0]]])
    return AttentionPlan(past, torch.tensor([0, 1, 1, 2]).expand(B, T, -1).contiguous())


def test_control_is_what_the_pipeline_prepares(folder: Path, vae: AutoencoderKLWan) -> None:
    pipeline = WanVACEPipeline(
        tokenizer=None, text_encoder=None, vae=vae, scheduler=FlowMatchEulerDiscreteScheduler(),
        transformer=WanVACETransformer3DModel.from_pretrained(folder / "teacher/transformer"),
    )  # fmt: skip
    poses, reference = draw(1, 3, 9, SIDE, SIDE).clamp(-1, 1), draw(3, SIDE, SIDE, seed=1).clamp(-1, 1)
    mask = torch.ones_like(poses)
    video = pipeline.prepare_video_latents(poses, mask, [[reference]], device=torch.device("cpu"))
    expected = torch.cat([video, pipeline.prepare_masks(mask, [[reference]])], 1)
    torch.testing.assert_close(wan_codec.encode_control(vae, poses, reference[None]), expected)


def test_video_goes_through_the_codec_and_back_at_its_frames(vae: AutoencoderKLWan) -> None:
    latents = wan_codec.encode_video(vae, draw(1, 3, 9, SIDE, SIDE).clamp(-1, 1))
    assert latents.shape == (1, 16, 3, CELLS, CELLS)
    latents.requires_grad_()
    frames = wan_codec.decode_video(vae, latents)
    assert frames.shape == (1, 3, 9, SIDE, SIDE)
    frames.mean().backward()
    assert latents.grad is not None
    with pytest.raises(ValueError, match="groups of 4: 8 frames"):
        wan_codec.encode_video(vae, torch.zeros(1, 3, 8, SIDE, SIDE))


@torch.no_grad()
def test_the_teacher_takes_the_steps_of_diffusers_sampler(folder: Path, condition: wan.WanCondition) -> None:
    """Euler steps of the scheduler on the transformer's velocity, the reference's place in the sequence included."""
    teacher = wan.load_teacher(folder / "teacher", guidance=1.0).eval()
    noise = draw(B, 16, T, CELLS, CELLS, seed=4)
    x = torch.cat([condition.noise_BChw[:, :, None], noise], 2)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=2.0)
    scheduler.set_timesteps(sigmas=[1.0], device="cpu")
    velocity = teacher.transformer(
        hidden_states=x, timestep=scheduler.timesteps[:1], encoder_hidden_states=condition.text_BLE,
        control_hidden_states=condition.control_BVThw, return_dict=False,
    )[0]  # fmt: skip
    expected = scheduler.step(velocity, scheduler.timesteps[0], x, return_dict=False)[0][:, :, 1:]
    torch.testing.assert_close(sample(teacher, noise, condition, SamplingConfig(steps=1, shift=2.0)), expected)


@torch.no_grad()
def test_guidance_leads_away_from_the_negative_prompt(folder: Path, condition: wan.WanCondition) -> None:
    noisy, time = draw(B, 16, T, CELLS, CELLS), torch.tensor([0.6])
    plain, guided = (wan.load_teacher(folder / "teacher", guidance).eval() for guidance in (1.0, 3.0))
    positive = plain(noisy, time, condition)
    negative = plain(
        noisy, time, wan.WanCondition(condition.control_BVThw, condition.negative_BLE, condition.noise_BChw)
    )
    torch.testing.assert_close(
        guided(noisy, time, condition), negative + 3 * (positive - negative), atol=1e-4, rtol=1e-4
    )
    with pytest.raises(ValueError, match=r"guidance is 3\.0"):
        guided(noisy, time, wan.WanCondition(condition.control_BVThw, condition.text_BLE, condition.noise_BChw))


@torch.no_grad()
def test_every_part_of_the_condition_matters_to_the_teacher(folder: Path, condition: wan.WanCondition) -> None:
    teacher, noisy, time = wan.load_teacher(folder / "teacher", 1.0).eval(), draw(B, 16, T, CELLS, CELLS), torch.ones(1)
    before = teacher(noisy, time, condition)
    for frames in (slice(0, 1), slice(1, None)):
        control = condition.control_BVThw.clone()
        control[:, :, frames] += 1
        changed = wan.WanCondition(control, condition.text_BLE, condition.noise_BChw)
        assert (teacher(noisy, time, changed) - before).abs().max() > 1e-4
    assert condition.frames(1, 3).control_BVThw.shape[2] == 3
    assert torch.equal(condition.frames(1, 3).pose, condition.pose[:, :, 1:])


@torch.no_grad()
def test_the_student_starts_as_the_model_it_was_widened_from(folder: Path, condition: wan.WanCondition) -> None:
    base = WanTransformer3DModel.from_pretrained(folder / "student/transformer").eval()
    student = wan.load_student(folder / "student").eval()
    noisy, time = draw(B, 16, T, CELLS, CELLS), torch.tensor([0.7])
    velocity = base(noisy, time * 1000, condition.text_BLE, return_dict=False)[0]
    torch.testing.assert_close(student(noisy, time, condition), noisy - 0.7 * velocity)
    assert (student(noisy, time, condition, plan()) - student(noisy, time, condition)).abs().max() > 1e-5


def trained(folder: Path, condition: wan.WanCondition, checkpoint: Checkpoint) -> dict[str, wan.WanStudent]:
    """Two steps of distribution matching: teacher frozen, critic and student by low-rank updates."""
    teacher = wan.load_teacher(folder / "teacher", 2.0).eval()
    student = wan.load_student(folder / "student")
    teacher.requires_grad_(False)
    add_lora(student, rank=2, seed=1)
    critic = add_lora(teacher.share(), rank=2, seed=2)
    critic.guidance = 1.0
    shape, config = (B, 16, T, CELLS, CELLS), SamplingConfig(steps=2, shift=2.0)

    def student_loss(model: wan.WanStudent, step: int, generator: torch.Generator) -> torch.Tensor:
        noise, more = (torch.randn(shape, generator=generator) for _ in range(2))
        made = draw_few_steps(model, noise, condition, config, step % 2, plan())
        return matching_loss(teacher, critic, made, more, torch.tensor([0.5]), condition, torch.ones(shape), plan())

    def critic_loss(model: wan.WanTeacher, step: int, generator: torch.Generator) -> torch.Tensor:
        with torch.no_grad():
            made = draw_few_steps(student, torch.randn(shape, generator=generator), condition, config, 1, plan())
        return denoising_loss(model, made, condition, torch.ones(16), torch.ones(B, T, CELLS, CELLS), 2.0, generator)

    learners = {"critic": Learner(critic, critic_loss, SETTINGS), "student": Learner(student, student_loss, SETTINGS)}
    return {name: each.average for name, each in train_together(learners, 0, Bar(), checkpoint).items()}


def test_it_trains_by_low_rank_updates_alone_and_saves_a_plain_model(
    folder: Path, condition: wan.WanCondition, tmp_path: Path
) -> None:
    student = trained(folder, condition, Checkpoint(tmp_path / "run"))["student"]
    _, arrays = Checkpoint(tmp_path / "run").load() or (0, {})
    learned = [name for name in arrays if name.startswith("student.model.")]
    assert learned
    assert all("lora_" in name or "patch_embedding" in name for name in learned)
    noisy, time = draw(B, 16, T, CELLS, CELLS, seed=7), torch.tensor([0.7])
    with torch.no_grad():
        expected = student(noisy, time, condition, plan())
        started = wan.load_student(folder / "student").eval()(noisy, time, condition, plan())
        assert (expected - started).abs().max() > 1e-5
        student.save_pretrained(tmp_path / "student")
        loaded = wan.load_student(tmp_path / "student").eval()
        torch.testing.assert_close(loaded(noisy, time, condition, plan()), expected, atol=1e-5, rtol=1e-4)
    assert not any("lora" in name for name in loaded.state_dict())


@pytest.mark.parametrize("kind", ["teacher", "student"])
def test_blocks_that_are_computed_again_give_the_same_gradients(
    folder: Path, condition: wan.WanCondition, kind: str
) -> None:
    """Under a plan, which is no longer set when the backward pass computes them again."""

    def gradients(again: bool) -> dict[str, torch.Tensor]:
        net = wan.load_teacher(folder / kind, 1.0) if kind == "teacher" else wan.load_student(folder / kind)
        add_lora(net, 2, seed=0)
        for name, weight in net.named_parameters():
            if "lora_B" in name:  # 0 at the start, and then nothing reaches the rest
                torch.nn.init.constant_(weight, 0.1)
        if again:
            net.checkpoint_blocks()
        net.train()(draw(B, 16, T, CELLS, CELLS), torch.tensor([0.7]), condition, plan()).square().mean().backward()
        assert net.self_attention.plan is None
        return {name: weight.grad for name, weight in net.named_parameters() if weight.grad is not None}

    kept, again = gradients(False), gradients(True)
    assert kept.keys() == again.keys()
    assert any("lora_A" in name for name in kept)
    for name, value in kept.items():
        torch.testing.assert_close(again[name], value)


@torch.no_grad()
def test_a_teacher_under_a_plan_still_sees_the_reference_everywhere(folder: Path, condition: wan.WanCondition) -> None:
    teacher, noisy = wan.load_teacher(folder / "teacher", 1.0).eval(), draw(B, 16, T, CELLS, CELLS)
    nothing = AttentionPlan(torch.full((1, T, 0), -1), torch.zeros(1, T, CELLS**2, dtype=torch.int64))
    time = torch.ones(1)
    sparse = teacher(noisy, time, condition, nothing)
    assert (sparse - teacher(noisy, time, condition)).abs().max() > 1e-5
    later = noisy.clone()
    later[:, :, 1] += 1
    changed = (teacher(later, time, condition, nothing) - sparse).abs().amax((0, 1, 3, 4))
    assert changed[1] > 1e-4
    assert changed[[0, 2]].max() < 1e-5, "frames without a past see themselves and the reference only"
    noise = wan.WanCondition(condition.control_BVThw, condition.text_BLE, condition.noise_BChw + 1)
    changed = (teacher(noisy, time, noise, nothing) - sparse).abs().amax((0, 1, 3, 4))
    assert changed.min() > 1e-5


def test_a_critic_shares_the_memory_of_the_teacher_and_leaves_it_alone(
    folder: Path, condition: wan.WanCondition
) -> None:
    teacher = wan.load_teacher(folder / "teacher", 1.0).eval()
    noisy, time = draw(B, 16, T, CELLS, CELLS), torch.ones(1)
    with torch.no_grad():
        before = teacher(noisy, time, condition)
        critic = add_lora(teacher.share(), 2, seed=0)
        for name, weight in critic.named_parameters():
            if "lora_B" in name:
                torch.nn.init.constant_(weight, 0.1)
        assert (critic(noisy, time, condition) - before).abs().max() > 1e-5
        assert torch.equal(teacher(noisy, time, condition), before)
    shared = {weight.data_ptr() for weight in teacher.parameters()}
    own = {name for name, weight in critic.named_parameters() if weight.data_ptr() not in shared}
    assert own == {name for name, weight in critic.named_parameters() if weight.requires_grad}
    assert all("lora_" in name for name in own)


def test_low_rank_updates_are_float32_over_frozen_bfloat16(folder: Path, condition: wan.WanCondition) -> None:
    student = add_lora(wan.load_student(folder / "student", torch.bfloat16), 2, seed=0).checkpoint_blocks()
    kinds = {weight.dtype for weight in student.parameters() if weight.requires_grad}
    assert kinds == {torch.float32}
    assert student.transformer.blocks[0].attn1.to_q.base_layer.weight.dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        made = student.train()(draw(B, 16, T, CELLS, CELLS), torch.tensor([0.7]), condition, plan())
    made.square().mean().backward()
    assert made.dtype == torch.float32
    assert student.transformer.patch_embedding.weight.grad is not None


def test_chosen_frames_are_decoded_as_in_the_whole_window(vae: AutoencoderKLWan) -> None:
    codec = wan_codec.WanCodec(vae)
    latents = torch.stack([codec.encode_video(draw(9, 3, SIDE, SIDE, seed=seed).clamp(-1, 1)) for seed in (0, 1)])
    chosen = [0, 5, 8]
    found = codec.decode_frames(latents, chosen)
    whole = torch.cat([codec.decode_video(each)[chosen] for each in latents])
    torch.testing.assert_close(found, whole)


def test_a_video_in_parts_is_the_video(vae: AutoencoderKLWan) -> None:
    """Two at a time, as two people may talk at once; the codec's own calls in between disturb neither."""
    codec = wan_codec.WanCodec(vae)
    videos = [draw(9, 3, SIDE, SIDE, seed=seed).clamp(-1, 1) for seed in (0, 1)]
    whole = [codec.encode_video(video) for video in videos]
    encoders, decoders = [codec.part_encoder() for _ in videos], [codec.part_decoder() for _ in videos]
    latents: list[list[torch.Tensor]] = [[], []]
    frames: list[list[torch.Tensor]] = [[], []]
    for part in (slice(0, 1), slice(1, 5), slice(5, 9)):
        for index, video in enumerate(videos):
            latents[index].append(encoders[index].push(video[part]))
            frames[index].append(decoders[index].push(latents[index][-1]))
        codec.encode_video(videos[0])
    for index in (0, 1):
        torch.testing.assert_close(torch.stack(latents[index], 1), whole[index])
        torch.testing.assert_close(torch.cat(frames[index]), codec.decode_video(whole[index]))


def test_gradients_of_a_decoded_frame_reach_its_own_latent_frame(vae: AutoencoderKLWan) -> None:
    latents = draw(1, 16, T, CELLS, CELLS).requires_grad_()
    wan_codec.WanCodec(vae).decode_frames(latents, [5]).square().mean().backward()
    assert latents.grad is not None
    reached = latents.grad.abs().amax((0, 1, 3, 4))
    assert reached[2] > 0
    assert torch.equal(reached[:2], torch.zeros(2))


def test_noise_is_added_as_wan_was_trained(vae: AutoencoderKLWan) -> None:
    clean, noise = draw(1, 16, T, CELLS, CELLS), draw(1, 16, T, CELLS, CELLS, seed=5)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0)
    scheduler.set_timesteps(10, device="cpu")
    at = scheduler.timesteps[3:4]
    expected = scheduler.scale_noise(clean, at, noise)
    torch.testing.assert_close(add_noise(clean, noise, scheduler.sigmas[3:4]), expected)
