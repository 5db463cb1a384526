"""Draw small charts as SVG text, in the colours of the page."""

import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES = (7.0, 2.6)
_TICK = 5
_COLOURS = ("c0", "c1", "c2", "c3", "c4", "line")
"""Custom properties of style.css; #10000N stands for the N-th until the drawing is text."""
_DASHES = ("-", "--", ":", "-.", (0, (1, 4)))


def histogram(values: Sequence[int], low: int, high: int, label: str) -> str:
    """Draw a bar per integer from `low` to `high`, without values outside; return empty text if there are no values."""
    if not values:
        return ""
    figure, axes = _new_chart(label)
    counts, numbers = Counter(values), range(low, high + 1)
    axes.bar(numbers, [counts[number] for number in numbers], color=_colour("c0"), clip_on=False)
    return _svg(figure, label)


def lines(curves: Mapping[str, Sequence[float]], low: int, label: str) -> str:
    """Draw a line per curve over the integers from `low` on, with a legend; return empty text if there is none."""
    if not any(map(len, curves.values())):
        return ""
    figure, axes = _new_chart(label)
    for (name, curve), colour, dashes in zip(curves.items(), cycle(_COLOURS[:-1]), cycle(_DASHES), strict=False):
        numbers = range(low, low + len(curve))
        axes.plot(numbers, curve, color=_colour(colour), linestyle=dashes, label=name, clip_on=False)
    figure.legend(loc="outside right upper", frameon=False, handlelength=3)
    return _svg(figure, label)


def _new_chart(label: str) -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MultipleLocator

    figure = Figure(figsize=_INCHES, layout="constrained")
    axes = figure.add_subplot(xlabel=label)
    axes.xaxis.set_major_locator(MultipleLocator(_TICK))
    axes.spines[:].set_color(_colour("line"))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)
    return figure, axes


def _colour(name: str) -> str:
    return f"#10000{_COLOURS.index(name)}"


def _svg(figure: "Figure", label: str) -> str:
    """Return the figure as an element of a page; its ids begin with the label, to be unique there."""
    import matplotlib

    text, name = io.StringIO(), re.sub(r"\W", "-", label)
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        no_metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=no_metadata)
    _, _, drawing = text.getvalue().partition("<svg")
    drawing = re.sub(r'(id="|href="#)', rf"\1{name}-", f'<svg role="img" aria-label="{label}"{drawing}')
    return re.sub(r"#10000(\d)", lambda found: f"var(--{_COLOURS[int(found[1])]})", drawing)
