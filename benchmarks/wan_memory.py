"""What Wan's training needs of a GPU's memory: `python -m benchmarks.wan_memory params/paper.yaml`.

Weights are counted on models of full size without memory (meta device). What a block or the decoder keeps for its
backward pass is measured byte by byte on one of full width, run here on few tokens and cells; it grows in proportion to
them. What a kernel needs only while it runs is not in it. Writes reports/benchmarks/wan_memory.json.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel, WanVACETransformer3DModel
from torch import nn
from transformers import UMT5Config, UMT5EncoderModel

from cospeech.attention.plan import AttentionPlan
from cospeech.config import load_params
from cospeech.harness.files import write_json
from cospeech.models.autoencoders.wan_vae import WanCodec
from cospeech.models.transformers.lora import add_lora
from cospeech.models.transformers.wan import WanCondition, WanNet, WanStudent, WanTeacher, widen

SHAPES: dict[str, dict[str, Any]] = {
    "1.3B": {"num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30},
    "14B": {"num_attention_heads": 40, "ffn_dim": 13824, "num_layers": 40},
}
"""Of Wan 2.1 as published."""
CONTROLLED = {"1.3B": list(range(0, 30, 2)), "14B": list(range(0, 40, 5))}
"""Layers of VACE that have a control block beside them."""
FRAMES, CELLS = 3, 16
"""Latent frames and cells a side that are run."""
TOKENS = FRAMES * (CELLS // 2) ** 2
LEARNING = 4 + 4 + 8 + 4
"""Bytes of a learning weight: itself, gradient, two moments, average; all float32."""


@dataclass
class Kept:
    """Bytes: by kind of block, of what goes into it (kept in its stead) and of what it keeps for its backward pass."""

    going_in: dict[str, int] = field(default_factory=dict)
    inside: dict[str, int] = field(default_factory=dict)

    def __call__(self, block: nn.Module, *arguments: Any) -> Any:
        """In place of checkpointing: runs the block and measures it."""
        name = type(block).__name__
        with counted(block) as bytes_kept:
            made = block(*arguments)
        self.inside[name] = max(self.inside.get(name, 0), sum(bytes_kept.values()))
        main = arguments[2] if "VACE" in name else arguments[0]  # the rest is the same for all blocks
        hint = made[0].nbytes if "VACE" in name else 0
        self.going_in[name] = main.nbytes + hint
        return made


@contextmanager
def counted(net: nn.Module) -> Iterator[dict[int, int]]:
    """Bytes by storage of what autograd keeps, but for weights of `net`."""
    weights = {weight.untyped_storage().data_ptr() for weight in net.parameters()}
    found: dict[int, int] = {}
    alive: list[torch.Tensor] = []  # so that no address is given out twice

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            alive.append(tensor)
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield found


def new_net(kind: str, size: str, layers: int | None = None) -> WanNet:
    shape = {**SHAPES[size], "text_dim": 4096, "cross_attn_norm": True, "qk_norm": "rms_norm_across_heads"}
    if layers is not None:
        shape["num_layers"] = layers
    if kind == "student":
        return WanStudent(widen(WanTransformer3DModel(**shape)))
    controlled = [layer for layer in CONTROLLED[size] if layer < shape["num_layers"]]
    return WanTeacher(WanVACETransformer3DModel(**shape, vace_layers=controlled, vace_in_channels=96))


def weights_of(kind: str, size: str, rank: int) -> tuple[int, int]:
    """Bytes of the frozen bfloat16 weights and number of those that learn."""
    with torch.device("meta"):
        net = new_net(kind, size)
        frozen = 2 * sum(weight.numel() for weight in net.parameters())
        add_lora(net, rank, 0)
    return frozen, sum(weight.numel() for weight in net.parameters() if weight.requires_grad)


def kept_by(kind: str, size: str, rank: int, tokens: int) -> tuple[int, int]:
    """Bytes for a backward pass with checkpointing, of `tokens` in all: kept throughout, and one block at a time.

    A teacher has the reference's frame among them.
    """
    net, kept = new_net(kind, size, 1).to(torch.bfloat16), Kept()
    add_lora(net, rank, 0)
    net.transformer.enable_gradient_checkpointing(kept)
    control, text = torch.zeros(1, 96, 1 + FRAMES, CELLS, CELLS), torch.zeros(1, 512, 4096)
    condition = WanCondition(control, text, torch.zeros(1, 16, CELLS, CELLS))
    past = torch.tensor([[[-1, -1], [0, -1], [1, 0]]])
    plan = AttentionPlan(past, torch.arange(TOKENS // FRAMES).remainder(6).expand(1, FRAMES, -1).contiguous())
    with torch.autocast("cpu", torch.bfloat16):
        net.train()(torch.randn(1, 16, FRAMES, CELLS, CELLS), torch.ones(1), condition, plan)
    run = TOKENS + (TOKENS // FRAMES if kind == "teacher" else 0)
    counts = {"WanTransformerBlock": SHAPES[size]["num_layers"], "WanVACETransformerBlock": len(CONTROLLED[size])}
    throughout = sum(count * kept.going_in.get(name, 0) for name, count in counts.items())
    return round(throughout * tokens / run), round(max(kept.inside.values()) * tokens / run)


def decoder_keeps(cells: int) -> int:
    """Bytes for a backward pass from the four frames of a latent frame, compared by the codec's own features."""
    codec = WanCodec(AutoencoderKLWan())
    latents = torch.randn(1, 16, 2, 8, 8, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16), counted(codec) as found:
        codec.encode_features(codec.decode_frames(latents, [4]))
    weights = 2 * sum(weight.numel() for weight in codec.parameters())  # autocast keeps them in bfloat16 too
    return round((sum(found.values()) - weights) * cells / 64)


def table(path: Path, teacher: str, student: str) -> list[dict[str, Any]]:
    params = load_params(path)
    wan, side = params.wan, params.media.size // 16
    if wan is None:
        raise ValueError(f"{path}: wan is null, so there is nothing of Wan's to count")
    frame = side**2
    tokens = (1 + (wan.frames - 1) // 4) * frame
    codec = 4 * sum(weight.numel() for weight in AutoencoderKLWan().parameters())
    with torch.device("meta"):
        text = 4 * sum(
            weight.numel()
            for weight in UMT5EncoderModel(
                UMT5Config(vocab_size=256384, d_model=4096, d_kv=64, d_ff=10240, num_layers=24, num_heads=64)
            ).parameters()
        )
    teacher_frozen, teacher_learns = weights_of("teacher", teacher, max(wan.teacher_rank, 1))
    _, critic_learns = weights_of("teacher", teacher, wan.critic_rank)
    student_frozen, student_learns = weights_of("student", student, wan.student_rank)
    teacher_through, teacher_block = kept_by("teacher", teacher, wan.critic_rank, tokens + frame)
    student_through, student_block = kept_by("student", student, wan.student_rank, tokens)
    pixels = decoder_keeps((params.media.size // 8) ** 2) * params.student.region_frames
    batch = params.student.batch
    matching = max(teacher_through + teacher_block, student_through + max(student_block, pixels)) * batch
    return [
        row("train_codec", {"codec": codec, "text encoder": text}),
        row("train_teacher, adapt_teacher", {
            "codec": codec, "frozen weights": teacher_frozen, "learning": LEARNING * teacher_learns,
            "kept": teacher_through, "a block": teacher_block,
        }),
        row("distill_student, regression", {
            "codec": codec, "frozen weights": student_frozen, "learning": LEARNING * student_learns,
            "kept": student_through * batch, "a block": student_block * batch,
        }),
        row("distill_student, matching", {
            "codec": codec, "frozen weights": teacher_frozen + student_frozen,
            "learning": LEARNING * (critic_learns + student_learns), "kept and a block, or the decoder": matching,
        }),
    ]  # fmt: skip


def row(stage: str, parts: dict[str, int]) -> dict[str, Any]:
    return {"stage": stage, "gb": round(sum(parts.values()) / 1e9, 2)} | {
        "parts": {name: round(value / 1e9, 2) for name, value in parts.items()}
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("params", type=Path, nargs="?", default=Path("params/paper.yaml"))
    parser.add_argument("--teacher", choices=SHAPES, default="1.3B")
    parser.add_argument("--student", choices=SHAPES, default="1.3B")
    parser.add_argument("--output", type=Path, default=Path("reports/benchmarks/wan_memory.json"))
    options = parser.parse_args()
    rows = table(options.params, options.teacher, options.student)
    for each in rows:
        print(f"{each['gb']:6.1f} GB  {each['stage']}: {each['parts']}")
    write_json(options.output, {"teacher": options.teacher, "student": options.student, "rows": rows})


if __name__ == "__main__":
    main()
