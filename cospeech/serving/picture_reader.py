"""Pictures of visitors are decoded in a process of their own.

A decoder holds Python's lock for as long as it works on a header of a million empty parts, or unpacks a small file to
many pixels: in this process all talks would stand still. What it took in memory goes with it.
"""

import json
import multiprocessing
import os
import signal
from multiprocessing.connection import Connection

import numpy as np

from cospeech.media import MediaError, read_picture
from cospeech.media.images import LARGEST
from cospeech.serving.limits import Limits

NAME = "the picture"
"""In messages."""


def read_apart(data: bytes, limits: Limits) -> np.ndarray:
    """Decode a picture like `media.read_picture`; (H, W, 3) uint8 RGB.

    Raises:
        MediaError: as there, or it took too long or too much memory.
    """
    context = multiprocessing.get_context("spawn")
    answers, answering = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(answering, data, limits.picture_pixels), daemon=True)
    process.start()
    answering.close()
    try:
        if not answers.poll(limits.picture_seconds):
            raise MediaError(f"{NAME}: could not be read within {limits.picture_seconds:g} s; make it smaller")
        told = json.loads(answers.recv_bytes())
        if "error" in told:
            raise MediaError(told["error"])
        return np.frombuffer(answers.recv_bytes(3 * LARGEST * LARGEST), np.uint8).reshape(told["shape"])
    except (EOFError, OSError) as error:
        raise MediaError(f"{NAME}: could not be read, it takes too much memory; make it smaller") from error
    finally:
        process.kill()
        process.join()
        answers.close()


def _answer(answering: Connection, data: bytes, most_pixels: int) -> None:
    """Send the shape and the pixels, or what is wrong; no pickles, since a picture may have got hold of its decoder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    os.nice(_NICE)
    try:
        picture = read_picture(data, NAME, most_pixels)
    except MediaError as error:
        answering.send_bytes(json.dumps({"error": str(error)}).encode())
        return
    answering.send_bytes(json.dumps({"shape": picture.shape}).encode())
    answering.send_bytes(picture.tobytes())


_NICE = 10
"""Talks come first."""
