"""Audio features of one clip; words and phones of all clips."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cospeech.artifacts.tables import load_table, save_table
from cospeech.artifacts.tensors import load_arrays, save_arrays

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class AudioFeatures:
    """Audio features of T video frames.

    mel: (T, M, B) float32, natural logarithm of mel power; M windows per video frame, B bands.
    voice: (T,) float32 in 0..1, probability that the frame holds speech.
    learned: (T, D) float32, features of a pretrained speech encoder, or None.
    """

    mel: np.ndarray
    voice: np.ndarray
    learned: np.ndarray | None

    def __post_init__(self) -> None:
        assert self.mel.ndim == 3, self.mel.shape
        assert self.voice.shape == (len(self.mel),), self.voice.shape
        assert self.learned is None or len(self.learned) == len(self.mel)

    def save(self, path: Path) -> None:
        arrays = {"mel": self.mel.astype(np.float32), "voice": self.voice.astype(np.float32)}
        if self.learned is not None:
            arrays["learned"] = self.learned.astype(np.float32)
        save_arrays(path, "audio", 1, arrays)

    @classmethod
    def load(cls, path: Path) -> "AudioFeatures":
        arrays, _ = load_arrays(path, "audio", 1)
        return cls(arrays["mel"], arrays["voice"], arrays.get("learned"))


WORD_COLUMNS = {"clip": "str", "kind": "str", "text": "str", "start": "float64", "end": "float64", "source": "str"}


@dataclass(frozen=True)
class Words:
    """Table of words and phones with times. `kind` is word or phone; start and end are in seconds."""

    table: "pd.DataFrame"

    def of(self, clip: str, kind: str) -> "pd.DataFrame":
        """Return the rows of one clip and kind (word or phone)."""
        return self.table[(self.table["clip"] == clip) & (self.table["kind"] == kind)].reset_index(drop=True)

    def save(self, path: Path) -> None:
        save_table(path, self.table, WORD_COLUMNS)

    @classmethod
    def load(cls, path: Path) -> "Words":
        return cls(load_table(path, WORD_COLUMNS))
