"""Paint out-of-focus rooms behind the speaker."""

import numpy as np

from cospeech.corpus.cast import Backdrop


def paint_backdrop(backdrop: Backdrop, size: int, seed: int) -> np.ndarray:
    """Paint a backdrop, (size, size, 3) linear RGB, blurred as by a portrait lens."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    y, x = (np.mgrid[0:size, 0:size] + 0.5) / size
    wall, accent = np.array(backdrop.wall), np.array(backdrop.accent)
    lit = 0.82 * (1.05 - 0.38 * np.hypot(x - 0.3, y - 0.25))[..., None]
    canvas = np.broadcast_to(wall, (size, size, 3)) * lit
    painters = {
        "studio": _studio,
        "wall": _picture,
        "bookshelf": _bookshelf,
        "window": _window,
        "curtain": _curtain,
        "lamp": _lamp,
        "kitchen": _kitchen,
        "office": _office,
    }
    canvas = painters[backdrop.room](canvas, x, y, accent, rng)
    blurred = gaussian_filter(canvas, (size * 0.010, size * 0.010, 0))
    return np.ascontiguousarray(np.clip(blurred, 0, 1))


def _box(
    canvas: np.ndarray, x: np.ndarray, y: np.ndarray, box: tuple[float, float, float, float], colour: np.ndarray
) -> np.ndarray:
    """Fill a box: left, top, right, bottom, as shares of the picture."""
    left, top, right, bottom = box
    inside = ((x > left) & (x < right) & (y > top) & (y < bottom))[..., None]
    return np.where(inside, colour, canvas)


def _glow(x: np.ndarray, y: np.ndarray, column: float, row: float, radius: float) -> np.ndarray:
    return np.exp(-((x - column) ** 2 + (y - row) ** 2) / radius**2)[..., None]


def _studio(
    canvas: np.ndarray, x: np.ndarray, y: np.ndarray, accent: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    glow = _glow(x, y, 0.5, 0.3, 0.45)
    return canvas * 0.85 * (1 - glow) + accent * glow


def _picture(
    canvas: np.ndarray, x: np.ndarray, y: np.ndarray, accent: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    left = float(rng.choice([0.04, 0.72]))
    frame = (left, 0.10, left + 0.24, 0.42)
    canvas = _box(canvas, x, y, (frame[0] + 0.012, frame[1] + 0.016, frame[2] + 0.012, frame[3] + 0.016), 0.6 * canvas)
    canvas = _box(canvas, x, y, frame, np.array([0.10, 0.08, 0.06]))
    inner = (frame[0] + 0.015, frame[1] + 0.015, frame[2] - 0.015, frame[3] - 0.015)
    canvas = _box(canvas, x, y, inner, accent)
    hill = inner[3] - 0.10 - 0.04 * np.sin((x - left) * 20)
    inside = (x > inner[0]) & (x < inner[2]) & (y > hill) & (y < inner[3])
    return np.where(inside[..., None], 0.5 * accent, canvas)


def _bookshelf(
    canvas: np.ndarray, x: np.ndarray, y: np.ndarray, accent: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    muted = np.array(
        [[0.25, 0.10, 0.08], [0.10, 0.16, 0.22], [0.30, 0.26, 0.18], [0.12, 0.18, 0.12], [0.38, 0.34, 0.30]]
    )
    for top in (-0.06, 0.16, 0.38, 0.60, 0.82):
        canvas = _box(canvas, x, y, (0, top, 1, top + 0.20), 0.35 * accent)
        left = -0.02
        while left < 1:
            width, height = rng.uniform(0.018, 0.045), rng.uniform(0.11, 0.17)
            if rng.random() < 0.9:
                colour = muted[rng.integers(len(muted))] * rng.uniform(0.7, 1.3)
                canvas = _box(canvas, x, y, (left, top + 0.20 - height, left + width, top + 0.20), colour)
            left += width + 0.003
        canvas = _box(canvas, x, y, (0, top + 0.20, 1, top + 0.22), accent)
    return canvas * (1.0 - 0.25 * np.hypot(x - 0.4, y - 0.3))[..., None]


def _window(
    canvas: np.ndarray, x: np.ndarray, y: np.ndarray, accent: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    left = float(rng.choice([-0.06, 0.66]))
    canvas = canvas + 0.10 * _glow(x, y, left + 0.2, 0.3, 0.4)
    sky = accent * (1.05 - 0.5 * y[..., None]) + np.array([0.0, 0.02, 0.05])
    garden = np.array([0.24, 0.32, 0.16]) * (0.8 + 0.4 * np.sin(31 * x + 3 * np.sin(17 * x)))[..., None]
    view = np.where((y > 0.42 + 0.03 * np.sin(25 * x))[..., None], garden, sky)
    canvas = _box(canvas, x, y, (left - 0.02, 0.04, left + 0.42, 0.66), np.array([0.62, 0.60, 0.57]))
    for column in (left, left + 0.205):
        for row in (0.06, 0.36):
            canvas = _box(canvas, x, y, (column, row, column + 0.195, row + 0.28), view)
    return _box(canvas, x, y, (left - 0.04, 0.66, left + 0.44, 0.69), np.array([0.55, 0.53, 0.50]))


def _curtain(
    canvas: np.ndarray, x: np.ndarray, y: np.ndarray, accent: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    phase = rng.uniform(0, 6)
    fold = 0.5 + 0.5 * np.sin(46 * x + 2.2 * np.sin(9 * x + phase) + phase)
    cloth = accent * (0.62 + 0.38 * fold)[..., None] * (1.0 - 0.25 * y[..., None])
    drawn = ((x < 0.30) | (x > 0.74))[..., None]
    return np.where(drawn, cloth * 0.85, canvas)


def _lamp(canvas: np.ndarray, x: np.ndarray, y: np.ndarray, accent: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    column = float(rng.choice([0.13, 0.87]))
    canvas = canvas * 0.72 + accent * 0.30 * _glow(x, y, column, 0.30, 0.33)
    canvas = _box(canvas, x, y, (column - 0.008, 0.36, column + 0.008, 0.80), np.array([0.10, 0.08, 0.07]))
    half = 0.055 + 0.14 * np.clip(y - 0.20, 0, 0.17)
    shade = (np.abs(x - column) < half) & (y > 0.20) & (y < 0.37)
    canvas = np.where(shade[..., None], accent * 1.08, canvas)
    return _box(canvas, x, y, (column - 0.25, 0.80, column + 0.25, 0.84), np.array([0.20, 0.13, 0.08]))


def _kitchen(
    canvas: np.ndarray, x: np.ndarray, y: np.ndarray, accent: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    grout = (((x * 14) % 1 < 0.06) | ((y * 20) % 1 < 0.08)) & (y > 0.34) & (y < 0.70)
    canvas = np.where(grout[..., None], 0.85 * canvas, canvas)
    for left in (-0.02, 0.22, 0.58, 0.82):
        canvas = _box(canvas, x, y, (left, -0.1, left + 0.225, 0.30), accent * rng.uniform(0.92, 1.05))
        canvas = _box(canvas, x, y, (left + 0.19, 0.20, left + 0.20, 0.27), np.array([0.5, 0.48, 0.44]))
    for column in rng.uniform(0.05, 0.95, 4):
        jar = rng.uniform(0.3, 0.7) * np.array([1.0, 0.8, 0.6])
        canvas = _box(canvas, x, y, (column - 0.025, 0.60, column + 0.025, 0.70), jar)
    return _box(canvas, x, y, (0, 0.70, 1, 1), np.array([0.36, 0.30, 0.24]))


def _office(
    canvas: np.ndarray, x: np.ndarray, y: np.ndarray, accent: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    board_left = float(rng.choice([0.02, 0.62]))
    canvas = _box(canvas, x, y, (board_left, 0.08, board_left + 0.36, 0.48), np.array([0.70, 0.71, 0.72]))
    for row in np.arange(0.15, 0.42, 0.07):
        length = rng.uniform(0.12, 0.28)
        canvas = _box(canvas, x, y, (board_left + 0.03, row, board_left + 0.03 + length, row + 0.010), accent)
    plant = 0.85 if board_left < 0.3 else 0.12
    for _ in range(26):
        column, row = plant + rng.normal(0, 0.055), 0.52 + rng.normal(0, 0.09)
        leaf = ((x - column) / 0.018) ** 2 + ((y - row) / 0.05) ** 2 < 1
        canvas = np.where(leaf[..., None], np.array([0.08, 0.19, 0.07]) * rng.uniform(0.6, 1.4), canvas)
    return _box(canvas, x, y, (plant - 0.06, 0.64, plant + 0.06, 0.80), 0.8 * accent)
