"""Pictures that people bring: three formats, upright, opaque, bounded."""

import io

import numpy as np
import pytest
from PIL import Image

from cospeech.media import MediaError, read_picture
from cospeech.media.images import LARGEST


def saved(picture: Image.Image, kind: str, **how: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **how)
    return out.getvalue()


def png(pixels: np.ndarray, **how: object) -> bytes:
    return saved(Image.fromarray(pixels), "PNG", **how)


def test_pictures_are_upright_opaque_and_coloured() -> None:
    picture = np.zeros((40, 20, 3), np.uint8)
    picture[:10] = (200, 10, 10)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: shown, the first row is the right column
    shown = read_picture(png(picture, exif=exif), "p")
    assert shown.shape == (20, 40, 3)
    np.testing.assert_array_equal(shown[:, -1], np.broadcast_to([200, 10, 10], (20, 3)))
    assert read_picture(png(picture[..., 0]), "p").shape == (40, 20, 3)
    np.testing.assert_array_equal(read_picture(png(np.zeros((8, 8, 4), np.uint8)), "p"), np.full((8, 8, 3), 255))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "MPO"])
def test_the_formats_that_can_be_brought(kind: str) -> None:
    """MPO: JPEG of some telephones."""
    more = {"save_all": True, "append_images": [Image.new("RGB", (30, 20))]} if kind == "MPO" else {}
    shown = read_picture(saved(Image.new("RGB", (30, 20), "white"), kind, **more), "p")
    np.testing.assert_array_equal(shown, np.full((20, 30, 3), 255))


def test_a_long_picture_is_reduced() -> None:
    assert read_picture(png(np.zeros((64, 3 * LARGEST), np.uint8)), "p").shape == (21, LARGEST, 3)


BLANK = Image.new("RGB", (30, 20))
BAD = {
    "empty": (b"", "not a picture that can be read"),
    "text": (b"not a picture", "not a picture that can be read; PNG, JPEG and WebP can"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n", "PNG, JPEG and WebP"),
    "GIF": (saved(BLANK, "GIF"), "PNG, JPEG and WebP"),
    "TIFF": (saved(BLANK, "TIFF"), "PNG, JPEG and WebP"),
    "BMP": (saved(BLANK, "BMP"), "PNG, JPEG and WebP"),
    "cut off": (saved(Image.effect_noise((300, 300), 90), "JPEG")[:9000], "not a picture that can be read"),
    "nothing but markers": (b"\xff\xd8" + b"\xff\xe0\0\2" * 1000, "not a picture that can be read"),
    "large": (saved(Image.new("1", (1001, 1000)), "PNG"), "p: 1001 x 1000 pixels, 1 million; at most 1 million"),
    "vast": (saved(Image.new("1", (20000, 20000)), "PNG"), "at most 1 million"),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_cannot_be_taken_says_why(bad: str) -> None:
    data, message = BAD[bad]
    with pytest.raises(MediaError, match=message):
        read_picture(data, "p", 1_000_000)
