"""The base class of all sections of params.yaml."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from cospeech.utils.json_types import JSONObject

Precision = Literal["auto", "bf16", "fp32"]
"""Same as cospeech.utils.precision.Precision, which needs torch."""


class Section(BaseModel):
    """A section: frozen, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def dumped(section: Section | None) -> JSONObject | None:
    """Return a section as a dict; None for a null section."""
    return None if section is None else section.model_dump()
