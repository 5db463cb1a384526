"""Draw small charts as SVG text, in the colours of the page."""

from collections import Counter
from collections.abc import Mapping, Sequence

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 640, 220, 46, 34, 12
_NAMES = 140
"""Width of the legend at the right."""
_DASHES = ("", "6 3", "2 3", "8 2 2 2", "1 4")


def histogram(values: Sequence[int], low: int, high: int, label: str) -> str:
    """Draw a bar per integer from `low` to `high`, without values outside; return empty text if there are no values."""
    if not values:
        return ""
    counts = Counter(values)
    most = max(counts.values())
    width = (_WIDTH - _LEFT) / (high - low + 1)
    parts = [_axes(label, "0", str(most))]
    for number in range(low, high + 1):
        x, height = _LEFT + (number - low) * width, _inner() * counts[number] / most
        y = _TOP + _inner() - height
        parts.append(
            f'<rect class="bar" x="{x + 1:.1f}" y="{y:.1f}" width="{width - 2:.1f}" height="{height:.1f}">'
            f"<title>{number}: {counts[number]}</title></rect>"
        )
        if number % 5 == 0:
            parts.append(_text(x + width / 2, _HEIGHT - 18, str(number), "middle"))
    return _svg(parts, label)


def lines(curves: Mapping[str, Sequence[float]], low: int, label: str) -> str:
    """Draw a line per curve over the integers from `low` on, with a legend; return empty text if there is none."""
    values = [value for curve in curves.values() for value in curve]
    if not values:
        return ""
    least, most = min(values), max(values)
    span, right = (most - least) or 1.0, _WIDTH - _NAMES
    parts = [_axes(label, f"{least:.3g}", f"{most:.3g}")]
    for index, (name, curve) in enumerate(curves.items()):
        step = (right - _LEFT) / max(len(curve) - 1, 1)
        points = [
            (_LEFT + place * step, _TOP + _inner() * (1 - (value - least) / span)) for place, value in enumerate(curve)
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dash = f' stroke-dasharray="{_DASHES[index % len(_DASHES)]}"' if index % len(_DASHES) else ""
        parts.append(f'<polyline class="line c{index}" points="{path}"{dash}><title>{name}</title></polyline>')
        row = _TOP + 12 + 18 * index
        parts.append(f'<line class="line c{index}" x1="{right + 8}" x2="{right + 28}" y1="{row}" y2="{row}"{dash}/>')
        parts.append(_text(right + 32, row + 4, name, "start"))
    length = max(map(len, curves.values()))
    for number in range(low, low + length):
        if number % 5 == 0:
            place = _LEFT + (number - low) * (right - _LEFT) / max(length - 1, 1)
            parts.append(_text(place, _HEIGHT - 18, str(number), "middle"))
    return _svg(parts, label)


def _inner() -> int:
    return _HEIGHT - _BOTTOM - _TOP


def _axes(label: str, bottom: str, top: str) -> str:
    base = _TOP + _inner()
    return (
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{base}" y2="{base}"/>'
        + _text(_LEFT - 6, base, bottom, "end")
        + _text(_LEFT - 6, _TOP + 8, top, "end")
        + _text((_LEFT + _WIDTH) / 2, _HEIGHT - 2, label, "middle")
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _svg(parts: Sequence[str], label: str) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
