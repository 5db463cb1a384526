"""Pictures and videos as data addresses, small enough for one page."""

import base64
import io
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 1120, 1400
"""Greatest size of a picture, pixels."""
_QUALITY = 78


def embed(path: Path) -> str:
    """A video as it is; a picture as WebP, made smaller where it is larger than a page shows."""
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
