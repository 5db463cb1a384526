"""Lay out frames as contact sheets, write PNG files, and decode pictures that people bring."""

import warnings
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np

from cospeech.harness.files import atomic_path
from cospeech.utils.ffmpeg import MediaError

FORMATS = ("PNG", "JPEG", "WEBP")
"""Of pictures that people bring. Pillow knows sixty more, and gives PostScript to a program."""
LARGEST = 2048
"""Pixels of a picture's longer side; larger ones are reduced to it."""
MOST_PIXELS = 178_956_970
"""Above, Pillow refuses by itself."""


def contact_sheet(frames: np.ndarray, columns: int) -> np.ndarray:
    """Lay out N images (N, H, W, 3) in rows of `columns`; black fills the last row."""
    count, height, width, channels = frames.shape
    rows = -(-count // columns)
    padded = np.zeros((rows * columns, height, width, channels), frames.dtype)
    padded[:count] = frames
    grid = padded.reshape(rows, columns, height, width, channels)
    return grid.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)


def save_png(path: Path, image: np.ndarray) -> None:
    """Write an RGB image (H, W, 3) uint8 as PNG."""
    with atomic_path(path) as temporary:
        if not cv2.imwrite(str(temporary), np.ascontiguousarray(image[..., ::-1])):
            raise OSError(f"{path}: OpenCV could not write the PNG")


def read_picture(data: bytes, name: str, most_pixels: int = MOST_PIXELS) -> np.ndarray:
    """Decode a picture, upright as its camera says: (H, W, 3) uint8 RGB, its longer side at most `LARGEST`; what is
    transparent is white. name: for messages.

    Raises:
        MediaError: not a picture of one of `FORMATS`, damaged, or of more than `most_pixels`.
    """
    from PIL import Image, ImageOps

    too_many = f"at most {most_pixels / 1e6:.4g} million can be taken; make it smaller"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # we have a limit of our own
            with Image.open(BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
                if width * height > most_pixels:
                    million = width * height / 1e6
                    raise MediaError(f"{name}: {width} x {height} pixels, {million:.3g} million; {too_many}")
                image.draft("RGB", (LARGEST, LARGEST))  # a JPEG need not be unpacked in full
                ImageOps.exif_transpose(image, in_place=True)
                image.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS, reducing_gap=2.0)
                rgba = image.convert("RGBA")
    except Image.DecompressionBombError:
        raise MediaError(f"{name}: more than {2 * MOST_PIXELS / 1e6:.4g} million pixels; {too_many}") from None
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, MediaError):
            raise
        why = "" if isinstance(error, Image.UnidentifiedImageError) else f" ({error})"
        raise MediaError(f"{name}: not a picture that can be read{why}; PNG, JPEG and WebP can") from error
    return np.array(Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB"))
