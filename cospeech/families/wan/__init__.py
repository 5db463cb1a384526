"""Wan 2.1 in the pipeline: its clips, its prompts, its models as `cospeech.families.base` wants them."""
