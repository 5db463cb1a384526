"""What all sections of params.yaml are."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Precision = Literal["auto", "bf16", "fp32"]
"""See cospeech/utils/precision.py, which needs torch."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def dumped(section: Section | None) -> dict[str, Any] | None:
    """A section that may be null, as the library takes it."""
    return None if section is None else section.model_dump()
