"""Wan 2.1 with random weights, as folders of diffusers pipelines: it draws noise, at the cost of the real one.

All at its published size but the text encoder, of which one layer of full width is there.
"""

from pathlib import Path

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel, WanVACETransformer3DModel
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

from benchmarks.wan_memory import CONTROLLED, SHAPES

COMMON = {"text_dim": 4096, "cross_attn_norm": True, "qk_norm": "rms_norm_across_heads"}
WORDS = ("<pad>", "</s>", "<unk>", "a", "person", "speaks")


def save_random_pipelines(folder: Path, teacher: str, student: str, device: torch.device) -> None:
    """folder/teacher (VACE of size `teacher`) and folder/student; drawn on `device`, which is faster on a GPU."""
    with torch.device(device), torch.random.fork_rng():
        torch.manual_seed(0)
        AutoencoderKLWan().save_pretrained(folder / "teacher/vae")
        control = {"vace_layers": CONTROLLED[teacher], "vace_in_channels": 96}
        _save(WanVACETransformer3DModel(**SHAPES[teacher], **COMMON, **control), folder / "teacher/transformer")
        _save(WanTransformer3DModel(**SHAPES[student], **COMMON), folder / "student/transformer")
        shape = UMT5Config(vocab_size=len(WORDS), d_model=4096, d_kv=64, d_ff=10240, num_layers=1, num_heads=64)
        UMT5EncoderModel(shape).save_pretrained(folder / "teacher/text_encoder")
    save_tokenizer(folder / "teacher/tokenizer", WORDS)


def save_tokenizer(folder: Path, words: tuple[str, ...]) -> None:
    """Of whole words. The first three are padding, the end of a text, and all unknown words."""
    padding, end, unknown = words[:3]
    numbers = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {end}", special_tokens=[(end, numbers[end])])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=padding, eos_token=end, unk_token=unknown
    ).save_pretrained(folder)


def _save(transformer: torch.nn.Module, folder: Path) -> None:
    torch.nn.Module.to(transformer, torch.bfloat16)  # diffusers' own `to` warns of what loading puts right
    transformer.save_pretrained(folder)  # type: ignore[operator]
