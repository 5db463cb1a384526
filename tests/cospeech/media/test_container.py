"""A file is read as what it holds, and opens nothing else; sound that would fill memory is refused before it does."""

import io
import re
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import pytest

from cospeech.inference.audio_source import read_voice
from cospeech.media import MediaError, decode_speech, open_media, probe, read_frames, sample_frames
from cospeech.serving.audio_input import decode_voice
from tests.helpers.footage import make_video, run_ffmpeg

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nprivate.mp4\n#EXT-X-ENDLIST\n"
SESSION = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"
DISGUISED = {
    "ffconcat": "ffconcat version 1.0\nfile private.mp4\n",
    "m3u8": PLAYLIST,
    "sdp": SESSION,
    "dash": '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>private.mp4</BaseURL></Period></MPD>',
}


def voice_of(path: Path) -> object:
    with TemporaryDirectory() as folder:
        return read_voice(path, 16000, Path(folder))


READERS: dict[str, Callable[[Path], object]] = {
    "ingest": probe,
    "frames": read_frames,
    "sound": lambda path: decode_speech(path, 16000, 0, 1),
    "serve, a speaker": lambda path: sample_frames(path, 1),
    "serve, an upload": lambda path: next(decode_voice(path.read_bytes(), 48000, 60)),
    "generate": voice_of,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", DISGUISED)
def test_a_list_of_other_files_is_opened_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, reader: str
) -> None:
    make_video(tmp_path / "private.mp4")
    monkeypatch.chdir(tmp_path)
    Path("innocent.mp4").write_text(DISGUISED[kind])
    assert READERS[reader](Path("private.mp4")) is not None
    with pytest.raises((ValueError, av.error.FFmpegError)):
        READERS[reader](Path("innocent.mp4"))


@pytest.mark.parametrize("name", ["http:clip.mp4", "concat:clip.mp4", "a:b.mp4", "100%.mp4"])
def test_a_name_is_never_taken_for_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    make_video(tmp_path / "clip.mp4").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert probe(Path(name)).fps == 25


@pytest.mark.parametrize(
    "name",
    ["a.wav", "a.mp3", "a.flac", "a.ogg", "a.m4a", "a.aac", "a.mka", "a.webm", "a.wv", "a.aiff", "a.au", "a.caf",
     "a.w64", "a.wma", "a.ac3", "a.ts", "a.mpg", "a.avi", "a.mov", "a.3gp", "a.mkv", "a.flv", "a.mxf"],
)  # fmt: skip
def test_what_people_have_can_be_read(tmp_path: Path, name: str) -> None:
    sine = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=1"]
    picture = ["-f", "lavfi", "-i", "testsrc2=s=128x128:r=25:d=1"] if name == "a.mxf" else []
    run_ffmpeg(*picture, *sine, *(["-c:a", "aac"] if name == "a.3gp" else []), str(tmp_path / name))
    assert np.abs(decode_speech(tmp_path / name, 16000, 0, 3).samples).max() > 0.05  # mpegts begins at 1.4 s


def sound(samples: int, rate: int, name: str = "matroska") -> bytes:
    """One packet of PCM."""
    out = io.BytesIO()
    with av.open(out, "w", format=name) as container:
        stream = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.full((1, samples), 9000, np.int16), "s16", "mono")
        frame.sample_rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return out.getvalue()


@contextmanager
def within(megabytes: float) -> Iterator[None]:
    """Of NumPy's arrays; without the check they would take gigabytes."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes * 1e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("reader", ["sound", "serve, an upload", "generate"])
@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [(2000, 1, r"1 Hz.* 8000"), (2000, 7999, "7999 Hz"), (20000, 8000, r"2\.5 s.* 1 s")],
)
def test_absurd_sound_is_refused_before_it_is_resampled(
    tmp_path: Path, samples: int, rate: int, message: str, reader: str
) -> None:
    (tmp_path / "a.mka").write_bytes(sound(samples, rate))
    with within(5), pytest.raises(ValueError, match=message):
        READERS[reader](tmp_path / "a.mka")


def test_sound_of_telephones_is_read() -> None:
    assert len(np.concatenate(list(decode_voice(sound(8000, 8000), 16000, 10)))) == pytest.approx(16000, abs=40)


def test_other_formats_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text(DISGUISED["ffconcat"])
    message = r"a\.mp4: .*matroska"
    with pytest.raises(MediaError, match=message), open_media(tmp_path / "a.mp4"):
        pass


def test_nobody_opens_media_elsewhere(repository: Path) -> None:
    """`av.open(` of a file to write it is somebody else's matter, and happens in tests only."""
    opener = re.compile(r"\bav\.open\(|VideoCapture|torchaudio\.load|ffprobe|librosa|soundfile")
    found = [
        str(path.relative_to(repository))
        for folder in ("cospeech", "stages", "flows", "benchmarks")
        for path in (repository / folder).rglob("*.py")
        if opener.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["cospeech/media/container.py"]
