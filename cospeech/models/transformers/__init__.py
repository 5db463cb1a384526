"""Denoising transformers: the embedded one, and Wan 2.1 with LoRA."""
