"""Plot every score of every clip against its threshold."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cospeech.curation.verdict import Check
from cospeech.harness.files import atomic_path


def draw_scores(path: Path, table: pd.DataFrame, checks: Sequence[Check], thresholds: Mapping[str, float]) -> None:
    """Write a PNG with one panel per score: a dot per clip (blue: passes, red: fails) and a line at the threshold."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = [*(check.name for check in checks), "av_offset"]
    columns = 5
    figure = Figure(figsize=(12, 5), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(-(-len(names) // columns), columns, squeeze=False).reshape(-1)
    sides = {check.name: check for check in checks}
    for panel, name in zip(panels, names, strict=False):
        values = table[name].to_numpy(dtype=np.float64, na_value=np.nan)
        rows = np.flatnonzero(np.isfinite(values))
        check, limit = sides.get(name), thresholds[name]
        if check is None:
            sure = table["av_evidence"].to_numpy(dtype=np.float64, na_value=0.0)[rows] >= thresholds["av_evidence"]
            passes = (np.abs(values[rows]) <= limit) | ~sure
        else:
            passes = np.array([check.holds(value, limit) for value in values[rows]], dtype=bool)
        colours = np.where(passes, "tab:blue", "tab:red") if len(rows) else None
        panel.scatter(rows, values[rows], s=14, c=colours)
        panel.axhline(limit, color="0.3", linewidth=0.8, linestyle="--")
        if check is None:
            panel.axhline(-limit, color="0.3", linewidth=0.8, linestyle="--")
        panel.set(title=name, xticks=[], xlabel="clips, in manifest order")
    for panel in panels[len(names) :]:
        panel.set_visible(False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=100, metadata={"Software": None})
