"""Tiny checkpoints of the real classes, made on the spot."""

import json
from pathlib import Path

import torch
from transformers import (
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2Model,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
)

PHONES = ["<pad>", "<s>", "</s>", "<unk>", "|", "a", "m", "ʃ", "iː"]


def wav2vec2_config(**more: int) -> Wav2Vec2Config:
    """Width 16, two layers; strides and kernels of the published models: a frame each 320 samples."""
    return Wav2Vec2Config(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        **more,
    )


def make_wav2vec2(folder: Path) -> str:
    torch.manual_seed(0)
    Wav2Vec2Model(wav2vec2_config()).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return str(folder)


def make_whisper(folder: Path) -> str:
    torch.manual_seed(0)
    config = WhisperConfig(
        d_model=16,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        vocab_size=32,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    WhisperModel(config).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    return str(folder)


def make_phone_model(folder: Path, vocabulary: list[str] = PHONES) -> str:
    """As facebook/wav2vec2-lv-60-espeak-cv-ft: Wav2Vec2ForCTC and vocab.json, pad as blank."""
    torch.manual_seed(0)
    Wav2Vec2ForCTC(wav2vec2_config(vocab_size=len(vocabulary), pad_token_id=0)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    vocab = {token: index for index, token in enumerate(vocabulary)}
    (folder / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    return str(folder)
