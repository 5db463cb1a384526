"""One source becomes one clip: square, constant rate, sound in step to the sample. Runs in a worker process."""

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from cospeech.footage import crop
from cospeech.footage.crop import Crop, find_crop, shows_face
from cospeech.footage.storage import Storage
from cospeech.harness.clip_cache import ClipStore
from cospeech.harness.files import code_digest, file_digest, value_digest, write_json
from cospeech.media import (
    MediaError,
    decode_speech,
    iter_constant_rate,
    probe,
    sample_frames,
    sound,
    video,
    write_speech,
    write_video,
)
from cospeech.pose import track
from cospeech.pose.track import join_tracks
from cospeech.utils.ffmpeg import find_ffmpeg

VIDEO, SPEECH, FACTS = "video.mp4", "speech.wav", "facts.json"
CUT_FACTS = (
    *("sha256", "width", "height", "fps", "seconds", "crop_x", "crop_y", "crop_size"),
    *("frames", "samples", "ffmpeg"),
)
_SAMPLED_FRAMES = 12
_LEAST_DECODED = 0.9
_LEAST_FOUND = 0.25
"""Share of the sampled frames that must show a speaker: detectors now and then see somebody in a pattern."""


@dataclass(frozen=True)
class CutSettings:
    fps: int
    size: int
    sample_rate: int


def salt(settings: CutSettings) -> str:
    """Digest of everything but the source and the ffmpeg that decides the clip."""
    code = code_digest(sys.modules[__name__], crop, sound, track, video)
    return value_digest({"settings": asdict(settings), "code": code})


@dataclass(frozen=True)
class CutJob:
    """clip: the uri, for messages. ffmpeg: the binary; None: the locked one."""

    clip: str
    storage: Storage
    settings: CutSettings
    store: ClipStore
    ffmpeg: Path | None = None


@dataclass(frozen=True)
class Cut:
    """key: where the store keeps the clip. reused: it was there before."""

    key: str
    reused: bool


@dataclass(frozen=True)
class Refused:
    """A source that cannot become a clip. sha256: of the source. reason: for the ledger."""

    sha256: str
    reason: str


def cut_clip(job: CutJob) -> Cut | Refused:
    """Make the clip of a source, unless the store has it.

    Raises:
        StorageError: the source cannot be read at all.
    """
    version = find_ffmpeg(job.ffmpeg).version
    key = job.store.key(job.storage.fingerprint(job.clip), version)
    with TemporaryDirectory(prefix="cospeech-") as scratch:
        files = {name: Path(scratch) / name for name in (VIDEO, SPEECH, FACTS)}
        if job.store.fetch(key, files):
            return Cut(key, reused=True)
        with job.storage.fetched(job.clip) as source:
            digest = file_digest(source)
            try:
                facts = _cut(source, job.settings, files, job.ffmpeg)
            except ValueError as error:
                return Refused(digest, str(error))
        write_json(files[FACTS], {"sha256": digest, **facts, "ffmpeg": version})
        job.store.put(key, files)
    return Cut(key, reused=False)


def _cut(source: Path, settings: CutSettings, files: dict[str, Path], binary: Path | None) -> dict[str, object]:
    info = probe(source)
    if not info.audio:
        raise MediaError("no audio stream: a clip needs the speaker's voice")
    square = _speaker(source, info.width, info.height)
    frames = 0

    def cropped() -> Iterator[np.ndarray]:
        nonlocal frames
        for frame in iter_constant_rate(source, settings.fps):
            frames += 1
            yield _resize(square.cut(frame), settings.size)

    write_video(files[VIDEO], cropped(), settings.fps, binary=binary)
    seconds = frames / settings.fps
    if seconds < _LEAST_DECODED * info.seconds:
        raise MediaError(f"damaged or cut off: {seconds:.2f} s of {info.seconds:.2f} s could be decoded")
    speech = decode_speech(source, settings.sample_rate, info.start, seconds)
    write_speech(files[SPEECH], speech, settings.sample_rate)
    return {
        "width": info.width,
        "height": info.height,
        "fps": info.fps,
        "seconds": info.seconds,
        "crop_x": square.x,
        "crop_y": square.y,
        "crop_size": square.size,
        "frames": frames,
        "samples": len(speech),
        "sample_rate": settings.sample_rate,
    }


def _speaker(source: Path, width: int, height: int) -> Crop:
    """A square picture is taken as framed already; else the speaker is looked for."""
    if width == height:
        return Crop(0, 0, width)
    found = [_detector().detect_image(frame) for frame in sample_frames(source, _SAMPLED_FRAMES)]
    people = [person for person in found if person is not None and shows_face(person)[0]]
    if len(people) < max(1, _LEAST_FOUND * len(found)):
        raise MediaError(
            f"no speaker: a person with a face is seen in {len(people)} of {len(found)} sampled frames of "
            f"{width} x {height} pixels, {_LEAST_FOUND:.0%} are needed"
        )
    return find_crop(join_tracks(people))


@cache
def _detector():  # type: ignore[no-untyped-def]  # the detector's library is heavy and loaded once a worker
    from cospeech.pose.detectors import build_detector

    return build_detector("mediapipe")


def _resize(picture: np.ndarray, size: int) -> np.ndarray:
    if picture.shape[0] == size:
        return picture
    way = cv2.INTER_AREA if picture.shape[0] > size else cv2.INTER_CUBIC
    return cv2.resize(picture, (size, size), interpolation=way)
