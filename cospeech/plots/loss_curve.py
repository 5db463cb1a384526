"""Write loss curves as a table for `dvc plots` and as an image."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cospeech.harness.files import atomic_path


def save_loss_curve(folder: Path, losses: Sequence[float], title: str) -> Path:
    """Write loss.csv (one row per step) and loss.png into `folder`; return the path of loss.png."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "loss.csv") as path:
        table = pd.DataFrame({"step": np.arange(len(losses)), "loss": losses})
        table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(losses, linewidth=0.5, alpha=0.4)
    width = max(1, len(losses) // 50)
    smooth = np.convolve(losses, np.ones(width) / width, mode="valid")
    axes.plot(np.arange(len(smooth)) + width / 2, smooth)
    axes.set(title=title, xlabel="step", ylabel="loss", yscale="log")
    picture = folder / "loss.png"
    with atomic_path(picture) as path:
        FigureCanvasAgg(figure).print_png(path, metadata={"Software": None})
    return picture
