"""Embed images and videos as data URLs, small enough for one page."""

import base64
import io
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 1120, 1400
"""Maximum size of an image, pixels."""
_QUALITY = 78


def embed(path: Path) -> str:
    """Return a data URL: a video as it is, an image as WebP, shrunk to the maximum size."""
    if path.suffix == ".mp4":
        return _address("video/mp4", path.read_bytes())
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    picture.save(stream, format="WEBP", quality=_QUALITY, method=4)
    return _address("image/webp", stream.getvalue())


def _address(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
