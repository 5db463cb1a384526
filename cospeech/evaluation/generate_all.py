"""What every model makes of every stretch, and the keypoints found in it."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from cospeech.datasets.windows import Clip, Window
from cospeech.evaluation.pose_detection import DetectJob, detect_all
from cospeech.evaluation.sample_videos import still
from cospeech.evaluation.segments import REFERENCE, Stretch, Take
from cospeech.evaluation.throughput import Around
from cospeech.harness.progress import Progress
from cospeech.models.common.protocols import VideoCodec
from cospeech.pose.detectors import Options
from cospeech.pose.track import PoseTrack
from cospeech.sampling.generation import Drawn, Sampler, decode, draw

MODELS = ("teacher", "student", "copy_reference", "codec", "ground_truth")


@dataclass(frozen=True)
class DrawnSet:
    """drawn: by model, a take a stretch. around: by stretch, seconds of the phases that the models share."""

    drawn: Mapping[str, Sequence[Drawn]]
    around: Sequence[Mapping[str, float]]


def draw_all(
    clips: Sequence[Clip],
    stretches: Sequence[Stretch],
    samplers: Mapping[str, Sampler],
    around: Around,
    seed: int,
    bar: Progress,
) -> DrawnSet:
    """Every stretch by every model in turn, from the same noise; once before, unrecorded, to warm up."""
    _warm_up(clips[0], stretches[0], samplers, around, seed)
    drawn: dict[str, list[Drawn]] = {name: [] for name in samplers}
    shared = []
    for index, (clip, stretch) in enumerate(zip(clips, stretches, strict=True)):
        window = Window(clip, stretch.start, stretch.stop, REFERENCE)
        for name, sampler in samplers.items():
            drawn[name].append(draw(sampler, window, seed, index))
            bar.update(len(stretch.frames))
        shared.append(around.seconds(stretch, drawn["student"][-1].frames))
    return DrawnSet(drawn, shared)


def _warm_up(clip: Clip, stretch: Stretch, samplers: Mapping[str, Sampler], around: Around, seed: int) -> None:
    """One step is enough: what is slow at first (buffers, choice of kernels) hangs on shapes. A stream has few, and
    prepares its networks."""
    window = Window(clip, stretch.start, stretch.stop, REFERENCE)
    for sampler in samplers.values():
        streams = sampler.config.stream is not None
        quick = sampler if streams else replace(sampler, config=replace(sampler.config, steps=1))
        frames = draw(quick, window, seed, 0).frames
    around.seconds(stretch, frames)


def take_all(
    clips: Sequence[Clip],
    stretches: Sequence[Stretch],
    drawn: Mapping[str, Sequence[Drawn]],
    codec: VideoCodec,
    detector: tuple[str, Options],
    executor: Executor,
    bar: Progress,
) -> list[dict[str, Take]]:
    """By stretch and model. Keypoints are found anew in generated frames; real ones keep those of their clip.

    detector: its backend and options.
    """
    made = []
    for index, (clip, stretch) in enumerate(zip(clips, stretches, strict=True)):
        frames = {name: takes[index].frames for name, takes in drawn.items()}
        made.append({**frames, "codec": decode(codec, clip.latents(slice(stretch.start, stretch.stop)))})
    jobs = [
        DetectJob(stretch.clip, name, frames, *detector)
        for stretch, by_name in zip(stretches, made, strict=True)
        for name, frames in by_name.items()
    ]
    found = detect_all(jobs, executor, bar)
    takes = []
    for clip, stretch, by_name in zip(clips, stretches, made, strict=True):
        every = {name: Take(name, frames, found[stretch.clip, name]) for name, frames in by_name.items()}
        every["copy_reference"] = _copied(clip, stretch)
        every["ground_truth"] = Take("ground_truth", stretch.frames, stretch.track, real=True)
        takes.append({name: every[name] for name in MODELS})
    return takes


def _copied(clip: Clip, stretch: Stretch) -> Take:
    """The reference frame standing still."""
    count, track = len(stretch.frames), clip.track
    keypoints, confidence = (still(each[REFERENCE], count) for each in (track.keypoints, track.confidence))
    return Take("copy_reference", still(stretch.reference, count), PoseTrack(keypoints, confidence, track.size))
