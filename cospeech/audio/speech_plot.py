"""Plot the waveform, features and words of one clip."""

from pathlib import Path

import numpy as np
import pandas as pd

from cospeech.artifacts import AudioFeatures
from cospeech.harness.files import atomic_path


def draw_audio(
    path: Path, title: str, speech: np.ndarray, rate: int, features: AudioFeatures, words: pd.DataFrame, fps: float
) -> None:
    """Write a PNG with the waveform and voice activity, the log-mel spectrogram and the words.

    Args:
        speech: (S,) float in -1..1.
        words: rows of `artifacts.Words` of this clip.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    FigureCanvasAgg(figure)
    wave, mel, line = figure.subplots(3, 1, sharex=True, height_ratios=[3, 4, 1])
    seconds = len(features.mel) / fps
    wave.plot(np.arange(len(speech)) / rate, speech, color="0.4", linewidth=0.4)
    wave.plot((np.arange(len(features.voice)) + 0.5) / fps, features.voice, color="tab:orange", label="voice activity")
    wave.set(ylim=(-1, 1.05), title=title)
    wave.legend(loc="lower right")
    bands = features.mel.reshape(-1, features.mel.shape[-1])
    mel.imshow(bands.T, origin="lower", aspect="auto", extent=(0, seconds, 0, bands.shape[1]), cmap="magma")
    mel.set(ylabel="mel band")
    for word in words[words["kind"] == "word"].to_dict("records"):
        line.axvspan(word["start"], word["end"], color="tab:blue", alpha=0.15)
        centre = (word["start"] + word["end"]) / 2
        line.text(centre, 0.5, word["text"], ha="center", va="center", fontsize=7, rotation=30)
    line.set(yticks=[], xlim=(0, seconds), ylabel="words", xlabel="seconds")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=100, metadata={"Software": None})
