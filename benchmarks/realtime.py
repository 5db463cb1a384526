"""Is talking video made faster than it is shown? The export draws a minute of held-out speech, all parts included.

Sustained: the voice as fast as it is taken. Live: the voice as a microphone gives it, 20 ms at a time; first_frame_ms
runs from its first sample to the first encoded frame. p95_ms: of sustained chunks, from one to the next, a frame of it.
The split has milliseconds a frame by part, on the clock and of the processor; parts run side by side, so that they add
up to more than a frame takes. Run it on a machine that does nothing else.
"""

import argparse
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from cospeech.artifacts import Curated
from cospeech.evaluation.throughput import device_name
from cospeech.harness.files import write_json
from cospeech.harness.workspace import Workspace
from cospeech.inference.profiler import Watch
from cospeech.inference.speaker import Person, Speaker, keep_freed_memory, load
from cospeech.media import iter_frames, read_speech
from cospeech.pose.track_file import load_track
from cospeech.sampling.folded_student import LeanStudent
from cospeech.utils.precision import Precision

ROOT = Path(__file__).parents[1]
PARTS = ("features", "motion", "align", "skeleton", "warp", "denoise", "decode", "encode")
_PIECE = 0.02
"""Seconds a microphone gives at a time."""


class Encoder:
    """Frames to H.264 at once, as a live stream sends them; keeps the number of bytes, not the bytes."""

    def __init__(self, size: int, fps: int, watch: Watch) -> None:
        import av

        self._codec: Any = av.CodecContext.create("libx264", "w")
        self._codec.width = self._codec.height = size
        self._codec.pix_fmt, self._codec.time_base = "yuv420p", Fraction(1, fps)
        self._codec.options = {"preset": "veryfast", "tune": "zerolatency", "crf": "20", "threads": "1"}
        self._watch, self.bytes, self._frames = watch, 0, 0

    def encode(self, frames: np.ndarray) -> None:
        import av

        for frame in frames:
            with self._watch.part("encode", 1):
                picture = av.VideoFrame.from_ndarray(frame, "rgb24")
                picture.pts, self._frames = self._frames, self._frames + 1
                self.bytes += sum(packet.size for packet in self._codec.encode(picture))


@dataclass
class Talk:
    """watch: of all parts. delivered: for each chunk the time and how many frames it had."""

    watch: Watch = field(default_factory=Watch)
    delivered: list[tuple[float, int]] = field(default_factory=list)

    def take(self, frames: np.ndarray, encoder: Encoder) -> None:
        encoder.encode(frames)
        if len(frames):
            self.delivered.append((time.perf_counter(), len(frames)))

    @property
    def frames(self) -> int:
        return sum(count for _, count in self.delivered)


def held_out(workspace: Workspace, seconds: float) -> tuple[Person, np.ndarray, int]:
    """The person of the first held-out clip, and so much held-out speech, clip after clip, with its rate."""
    table = Curated.load(workspace.curated).table
    clips = table[table["kept"] & (table["split"] == "test")]["clip"].tolist()
    heard = [read_speech(workspace.speech(clip)) for clip in clips]
    rate = heard[0][1]
    speech = np.concatenate([samples for samples, _ in heard])
    needed = round(seconds * rate)
    track = load_track(workspace.poses(clips[0]))
    person = Person(next(iter_frames(workspace.video(clips[0]))), track.keypoints[0], track.confidence[0])
    return person, np.tile(speech, -(-needed // len(speech)))[:needed], rate


def pieces(speech: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(speech), size):
        yield speech[start : start + size]


def sustained(speaker: Speaker, person: Person, speech: np.ndarray, chunk: int, first: int) -> dict[str, Any]:
    settings, talk = speaker.settings, Talk()
    encoder = Encoder(settings.size, settings.fps, talk.watch)
    with speaker.start(person, 0, chunk, first, talk.watch) as session:
        begun, processor = time.perf_counter(), _processor()
        for piece in pieces(speech, settings.sample_rate // settings.fps):
            talk.take(session.push(piece), encoder)
        talk.take(session.finish(), encoder)
    wall, processor = time.perf_counter() - begun, _processor() - processor
    times, counts = np.array([each for each, _ in talk.delivered[:-1]]), [n for _, n in talk.delivered[1:-1]]
    frame_ms = np.repeat(np.diff(times) / counts, counts) * 1000
    return {
        "fps": talk.frames / wall,
        "frames": talk.frames,
        "median_ms": float(np.median(frame_ms)),
        "p95_ms": float(np.percentile(frame_ms, 95)),
        "processor_ms": 1000 * processor / talk.frames,
        "split": split(talk),
        "kilobits_a_second": encoder.bytes * 8 / 1000 / (talk.frames / settings.fps),
    }


def live(speaker: Speaker, person: Person, speech: np.ndarray, chunk: int, first: int) -> dict[str, float]:
    """With the voice at its own pace. latency: from when a frame's own moment is over to its being encoded."""
    settings, talk = speaker.settings, Talk()
    encoder = Encoder(settings.size, settings.fps, talk.watch)
    with speaker.start(person, 0, chunk, first, talk.watch) as session:
        begun = time.perf_counter()
        for index, piece in enumerate(pieces(speech, round(_PIECE * settings.sample_rate))):
            time.sleep(max(0.0, begun + (index + 1) * _PIECE - time.perf_counter()))
            talk.take(session.push(piece), encoder)
        talk.take(session.finish(), encoder)
    shown = np.repeat([when - begun for when, _ in talk.delivered], [count for _, count in talk.delivered])
    latency = shown - (np.arange(len(shown)) + 1) / settings.fps
    return {
        "first_frame_ms": 1000 * float(shown[0]),
        "latency_median_ms": 1000 * float(np.median(latency)),
        "latency_p95_ms": 1000 * float(np.percentile(latency, 95)),
        "latency_max_ms": 1000 * float(latency.max()),
    }


def split(talk: Talk) -> dict[str, dict[str, float]]:
    """Milliseconds a frame by part: median and p95 over chunks, and of the processor."""
    table = {}
    for part in PARTS:
        laps = [lap for lap in talk.watch.laps if lap.part.split()[0] == part]
        names = sorted({lap.part for lap in laps})
        each = [np.array([lap.wall / lap.frames for lap in laps if lap.part == name and lap.frames]) for name in names]
        if not sum(len(x) for x in each):  # not by frames: in all
            each = [np.array([sum(lap.wall for lap in laps) / talk.frames])]
        table[part] = {
            "median_ms": 1000 * float(sum(np.median(x) for x in each if len(x))),
            "p95_ms": 1000 * float(sum(np.percentile(x, 95) for x in each if len(x))),
            "processor_ms": 1000 * sum(lap.processor for lap in laps) / talk.frames,
        }
    return table


def _processor() -> float:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--chunk", type=int, default=4, help="frames drawn at once")
    parser.add_argument("--first", type=int, default=1, help="frames of the first chunk")
    parser.add_argument("--threads", type=int, default=1, help="of torch, for each of the two that draw")
    parser.add_argument("--precision", choices=get_args(Precision), help="in place of the export's")
    parser.add_argument("--root", type=Path, default=ROOT, help="project with data/ and models/export")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    workspace = Workspace(options.root)
    speaker = load(workspace.model("export"), precision=options.precision)
    person, speech, rate = held_out(workspace, options.seconds)
    assert rate == speaker.settings.sample_rate
    how = options.chunk, options.first
    sustained(speaker, person, speech[: 2 * rate], *how)  # warms up
    found: dict[str, Any] = {"device": device_name(torch.device("cpu")), "seconds": options.seconds}
    if isinstance(speaker.models.stream, LeanStudent):
        found["arithmetic"] = speaker.models.stream.arithmetic.title
    found |= {"size": speaker.settings.size, "chunk": options.chunk, "first": options.first}
    found |= sustained(speaker, person, speech, *how)
    found["live"] = live(speaker, person, speech, *how)
    found["first_frame_ms"] = found["live"]["first_frame_ms"]
    write_json(ROOT / "reports/benchmarks/realtime.json", found)
    print(table(found))


def table(found: dict[str, Any]) -> str:
    lines = [
        f"{found['device']}, {found.get('arithmetic', 'Wan')}, {found['size']} px, chunks of {found['chunk']}, "
        f"{found['seconds']:.0f} s of speech",
        f"{found['fps']:.1f} frames a second; {found['processor_ms']:.1f} ms of processor a frame",
        f"a frame: median {found['median_ms']:.1f}, p95 {found['p95_ms']:.1f} ms; "
        f"first frame {found['first_frame_ms']:.0f} ms after the first sample",
        "live: " + ", ".join(f"{name.replace('_', ' ')} {value:.0f}" for name, value in found["live"].items()),
        f"{'ms a frame':<10}  {'median':>7}  {'p95':>7}  {'processor':>9}",
    ]
    for part, row in found["split"].items():
        lines.append(f"{part:<10}  {row['median_ms']:7.2f}  {row['p95_ms']:7.2f}  {row['processor_ms']:9.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
