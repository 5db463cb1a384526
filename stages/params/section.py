"""What all sections of params.yaml are."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def dumped(section: Section | None) -> dict[str, Any] | None:
    """A section that may be null, as the library takes it."""
    return None if section is None else section.model_dump()
