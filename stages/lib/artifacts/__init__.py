"""One dataclass per artifact, each with its file format and a version that is checked at load."""

from stages.lib.artifacts.audio import AudioFeatures, Words
from stages.lib.artifacts.latents import Latents, Prompts, Targets, WindowLatents
from stages.lib.artifacts.poses import Poses
from stages.lib.artifacts.tables import Curated, Ledger

__all__ = ["AudioFeatures", "Curated", "Latents", "Ledger", "Poses", "Prompts", "Targets", "WindowLatents", "Words"]
