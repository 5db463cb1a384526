"""Wan 2.1 in the pipeline: its clips, its prompts, its models as `stages.lib.family` wants them."""
