"""The artifacts that stages exchange: a dataclass each, with a file format and a version that is checked at load."""

from cospeech.artifacts.audio import AudioFeatures, Words
from cospeech.artifacts.latents import Latents, Prompts, Targets, WindowLatents
from cospeech.artifacts.tables import Curated, Ledger

__all__ = ["AudioFeatures", "Curated", "Latents", "Ledger", "Prompts", "Targets", "WindowLatents", "Words"]
