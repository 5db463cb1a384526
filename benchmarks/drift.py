"""Does a long talk drift? Three minutes of held-out speech; the last ten seconds against the first ten.

Every half minute, and at the end, the voice of the first ten seconds is heard again, so that those stretches say the
same. What still sets them apart is where the head is, and how long the talk has lasted. To tell these from each other,
each stretch is also drawn anew, from the same keypoints, by a stream that begins with it (and with other noise).

Measured on the frames drawn, by the detector that measures footage: LMD of the mouth against the keypoints that drove
it, identity against the picture (cosine of the codec's features of the aligned face, without the mean over the corpus'
people; the demo has no face recogniser), colour of the background. Differences, last minus first and last minus last
drawn anew, with the 95 % interval by bootstrap: over the ten pairs of seconds of one talk, over the talks if there are
several (`--talks`, each with a seed of its own). Seconds that follow each other are alike, as the head is where it was,
so the interval of one talk is too narrow. Memory: of the process and of the keys and values kept, every half minute.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from benchmarks.realtime import held_out, pieces
from cospeech.artifacts import Curated
from cospeech.audio.mel import LogMelStream
from cospeech.harness.files import write_json
from cospeech.harness.workspace import Workspace
from cospeech.inference.bundle import Models
from cospeech.inference.retargeting import Fit
from cospeech.inference.speaker import Person, Speaker, load
from cospeech.media import contact_sheet, iter_frames, save_png
from cospeech.metrics.lips import lmd
from cospeech.metrics.uncertainty import Estimate, paired_difference
from cospeech.models.autoencoders.codec import Codec
from cospeech.models.perception.face import align_faces
from cospeech.motion.stream import MotionStream
from cospeech.pose.mediapipe import MediaPipeDetector, MediaPipeOptions
from cospeech.pose.track_file import load_track
from cospeech.utils.images import to_tensor

ROOT = Path(__file__).parents[1]
WINDOW = 10
"""Seconds compared."""
_CORNER = 24
"""Pixels a side of the upper corners, which show nothing but background."""
Values = dict[str, np.ndarray]
"""By measure, of each frame."""


@dataclass(frozen=True)
class Stretch:
    """Of a talk. frames: (T, H, W, 3) uint8. drove: (T, 133, 2) keypoints, pixels."""

    frames: np.ndarray
    drove: np.ndarray


@dataclass(frozen=True)
class Measured:
    """A talk. within: values of its stretches; anew: of the same, each by a stream that begins with it. shown: frames
    of the first and of the last. memory: on the way."""

    within: list[Values]
    anew: list[Values]
    shown: np.ndarray
    memory: list[dict[str, int]]


def times(seconds: int) -> list[int]:
    """Seconds at which the stretches begin: one every half minute, and the last ends with the talk."""
    return [*range(0, seconds - 2 * WINDOW + 1, 30), seconds - WINDOW]


def gestures(speaker: Speaker, person: Person, speech: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """(T, 133, 2) keypoints of about a second each, pixels of the person's picture."""
    settings, model = speaker.settings, speaker.models.motion
    assert model is not None
    ear, rest = LogMelStream(settings.sample_rate, settings.fps), np.array(settings.rest, np.float32)
    motion, fit = MotionStream(model, rest, settings.motion_steps, seed), Fit(person.keypoints, rest)
    for piece in pieces(speech, settings.sample_rate):
        yield fit(motion.push(ear.push(piece)))
    yield fit(np.concatenate([motion.push(ear.finish()), motion.finish()]))


def talk(speaker: Speaker, still: Person, speech: np.ndarray, seed: int) -> tuple[list[Stretch], list[dict[str, int]]]:
    """Its stretches, and what memory was taken after every half minute, without the frames that are kept here."""
    fps, process = speaker.settings.fps, psutil.Process()
    spans = [(begin * fps, (begin + WINDOW) * fps) for begin in times(len(speech) // speaker.settings.sample_rate)]
    drove: list[np.ndarray] = []
    kept: dict[int, np.ndarray] = {}
    memory: list[dict[str, int]] = []
    shown = 0

    def keep(frames: np.ndarray) -> None:
        nonlocal shown
        wanted = [at for at in range(shown, shown + len(frames)) if any(start <= at < stop for start, stop in spans)]
        kept.update({at: frames[at - shown].copy() for at in wanted})
        shown += len(frames)

    with speaker.follow(still, seed) as animation:
        for second, keypoints in enumerate(gestures(speaker, still, speech, seed), 1):
            animation.push(still.moving(keypoints))
            drove.append(keypoints)
            keep(animation.take())
            if second % 30 == 0:
                own = process.memory_info().rss - sum(frame.nbytes for frame in kept.values())
                memory.append({"seconds": second, "process": own, "kept": animation.memory_bytes()})
        keep(animation.finish())
    moved = np.concatenate(drove)
    return [Stretch(np.stack([kept[at] for at in range(*span)]), moved[slice(*span)]) for span in spans], memory


def anew(speaker: Speaker, still: Person, drove: np.ndarray, seed: int) -> Stretch:
    with speaker.follow(still, seed) as animation:
        animation.push(still.moving(drove))
        return Stretch(animation.finish(), drove)


def face_features(codec: Codec, frames: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """(T, D): the codec's encoder on each aligned face."""
    few = [slice(start, start + 16) for start in range(0, len(frames), 16)]
    with torch.no_grad():
        faces = [align_faces(to_tensor(frames[part]), keypoints[part] / frames.shape[1]) for part in few]
        return np.concatenate([codec.encode_features(each)[0].flatten(1).numpy() for each in faces])


def mean_face(codec: Codec, workspace: Workspace) -> np.ndarray:
    """(D,): over the first frames of all kept clips."""
    table = Curated.load(workspace.curated).table
    clips = table[table["kept"]]["clip"].tolist()
    frames = np.stack([next(iter_frames(workspace.video(clip))) for clip in clips])
    keypoints = np.stack([load_track(workspace.poses(clip)).keypoints[0] for clip in clips])
    return face_features(codec, frames, keypoints).mean(0)


def codec_of(speaker: Speaker) -> Codec:
    """Its features tell faces apart."""
    if not isinstance(speaker.models, Models):
        raise SystemExit("drift is measured with the embedded codec's features, and this is an export of Wan's")
    return speaker.models.codec


def values(detector: MediaPipeDetector, codec: Codec, still: Person, drawn: Stretch, mean: np.ndarray) -> Values:
    found = detector.detect_video(drawn.frames)
    own = face_features(codec, still.picture[None], still.keypoints[None])[0] - mean
    features = face_features(codec, drawn.frames, found.keypoints) - mean
    cosine = features @ own / np.linalg.norm(features, axis=1) / np.linalg.norm(own)
    corners = np.concatenate([drawn.frames[:, :_CORNER, :_CORNER], drawn.frames[:, :_CORNER, -_CORNER:]], 2)
    true = np.concatenate([still.picture[:_CORNER, :_CORNER], still.picture[:_CORNER, -_CORNER:]], 1)
    colour = np.abs(corners.mean((1, 2)) - true.mean((0, 1))).mean(1)
    return {
        "lmd": lmd(found, still.moving(drawn.drove)),
        "identity": cosine,
        "background": colour,
    }


def measure(speaker: Speaker, still: Person, speech: np.ndarray, seed: int, mean: np.ndarray) -> Measured:
    stretches, memory = talk(speaker, still, speech, seed)
    fresh = [anew(speaker, still, each.drove, seed + index) for index, each in enumerate(stretches)]
    detector, codec = MediaPipeDetector(MediaPipeOptions()), codec_of(speaker)
    within, again = ([values(detector, codec, still, each, mean) for each in drawn] for drawn in (stretches, fresh))
    detector.close()
    shown = np.concatenate([stretches[index].frames[:: 2 * speaker.settings.fps] for index in (0, -1)])
    return Measured(within, again, shown, memory)


def compare(last: Sequence[Values], other: Sequence[Values], frames: int) -> dict[str, Any]:
    """Last minus other, over all talks. frames: of what is taken as one observation, a second or a talk."""
    table = {}
    for name in last[0]:
        this, that = (
            np.nanmean(np.concatenate([each[name] for each in talks]).reshape(-1, frames), axis=1)
            for talks in (last, other)
        )
        difference: Estimate | None = paired_difference(this, that, np.ones(len(this)), 0)
        assert difference is not None
        table[name] = {"last": float(this.mean()), "other": float(that.mean()), "difference": asdict(difference)}
    return table


def by_time(begins: Sequence[int], talks: Sequence[Measured]) -> list[dict[str, Any]]:
    """Mean LMD of every stretch, a list over the talks."""
    return [
        {
            "seconds": begin,
            "lmd": [float(np.nanmean(each.within[index]["lmd"])) for each in talks],
            "lmd_anew": [float(np.nanmean(each.anew[index]["lmd"])) for each in talks],
        }
        for index, begin in enumerate(begins)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--talks", type=int, default=1, help="of the same speech, each with a seed of its own")
    parser.add_argument("--seed", type=int, default=0, help="of the first talk")
    parser.add_argument("--root", type=Path, default=ROOT, help="project with data/ and models/export")
    options = parser.parse_args()
    if options.seconds < 2 * WINDOW:
        parser.error(f"--seconds {options.seconds}: the first and the last {WINDOW} seconds would overlap")
    torch.set_num_threads(max(1, torch.get_num_threads() // 2))
    workspace = Workspace(options.root)
    speaker = load(workspace.model("export"))
    person, speech, rate = held_out(workspace, options.seconds)
    begins = times(options.seconds)
    for begin in begins:
        speech[begin * rate : (begin + WINDOW) * rate] = speech[: WINDOW * rate]
    still, mean = person.resized(speaker.settings.size), mean_face(codec_of(speaker), workspace)
    seeds = range(options.seed, options.seed + options.talks)
    talks = [measure(speaker, still, speech, seed, mean) for seed in seeds]
    observation = speaker.settings.fps * (1 if options.talks == 1 else WINDOW)
    last = [each.within[-1] for each in talks]
    found = {
        "seconds": options.seconds,
        "last_minus_first": compare(last, [each.within[0] for each in talks], observation),
        "last_minus_anew": compare(last, [each.anew[-1] for each in talks], observation),
        "by_time": by_time(begins, talks),
        "memory": [each.memory for each in talks],
    }
    write_json(ROOT / "reports/benchmarks/drift.json", found)
    sheet = contact_sheet(np.concatenate([each.shown for each in talks]), WINDOW // 2)
    save_png(ROOT / "reports/benchmarks/drift.png", sheet)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
