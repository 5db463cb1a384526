"""Settings of the Wan family."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WanSettings:
    """Section `wan` of the parameters; see cospeech/config."""

    hub: bool
    teacher: str
    student: str
    frames: int
    prompt: str
    negative_prompt: str
    guidance: float
    windows: int
    references: int
    teacher_rank: int
    student_rank: int
    critic_rank: int
    checkpointing: bool
