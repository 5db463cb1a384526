"""Wan 2.1 as people have it, folders of diffusers pipelines, with networks so small that a stage takes a second."""

from pathlib import Path

from diffusers import AutoencoderKLWan, WanTransformer3DModel, WanVACETransformer3DModel
from transformers import UMT5Config, UMT5EncoderModel

from benchmarks.wan_random import save_tokenizer
from cospeech.config import Params
from cospeech.config.models import AttentionSection, WanSection
from cospeech.training.trainer import seeded
from tests.stages.tiny_run import tiny_params

FRAMES = 9
WORDS = ("<pad>", "</s>", "<unk>", "a", "person", "speaks", "to", "the", "camera", "blurred")
WAN = {
    "patch_size": (1, 2, 2), "num_attention_heads": 2, "attention_head_dim": 12, "in_channels": 16, "out_channels": 16,
    "text_dim": 16, "freq_dim": 8, "ffn_dim": 16, "num_layers": 2, "cross_attn_norm": True,
}  # fmt: skip


def save_pipelines(root: Path) -> Path:
    """root/teacher and root/student: random weights of the real classes."""
    with seeded(0):
        vae = AutoencoderKLWan(base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1,
                               temperal_downsample=[False, True, True])  # fmt: skip
        vae.save_pretrained(root / "teacher/vae")
        WanVACETransformer3DModel(**WAN, vace_layers=[0], vace_in_channels=96).save_pretrained(
            root / "teacher/transformer"
        )
        WanTransformer3DModel(**WAN).save_pretrained(root / "student/transformer")
        encoder = UMT5EncoderModel(
            UMT5Config(vocab_size=len(WORDS), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
        )
        encoder.save_pretrained(root / "teacher/text_encoder")
    save_tokenizer(root / "teacher/tokenizer", WORDS)
    return root


def wan_params(repository: Path, pipelines: Path, **changes: object) -> Params:
    """params/smoke.yaml at 64 px with the pipelines of `save_pipelines`; changes: of section wan."""
    params = tiny_params(repository)
    wan = {
        "hub": False, "teacher": str(pipelines / "teacher"), "student": str(pipelines / "student"), "frames": FRAMES,
        "windows": 3, "references": 2, "prompt": "a person speaks to the camera", "negative_prompt": "blurred",
        "guidance": 2.0, "teacher_rank": 2, "student_rank": 2, "critic_rank": 2, "checkpointing": True, **changes,
    }  # fmt: skip
    data = params.model_dump()
    data["wan"] = WanSection.model_validate(wan).model_dump()
    data["compute"]["device"] = "cpu"
    data["teacher"] |= {"window": FRAMES, "window_share": 1.0, "steps": 2}
    data["attention"] = AttentionSection(mask=("global", "local"), past_frames=1, stream=None).model_dump()
    data["adapt"]["frames"] = data["targets"]["frames"] = FRAMES
    data["evaluate"] |= {"frames": FRAMES, "window": FRAMES, "overlap": 4}
    data["student"] |= {"region_frames": 1}
    for section, keys in (
        ("teacher", ("optimisation",)),
        ("adapt", ("optimisation",)),
        ("student", ("regress", "match")),
    ):
        for key in keys:
            data[section][key] |= {"steps": 2, "warmup": 1, "lr": 0.01}
    return Params.model_validate(data)
