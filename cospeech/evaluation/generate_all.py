"""What every model makes of every stretch, and the keypoints found in it."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from cospeech.datasets.windows import Clip, Window
from cospeech.evaluation.pose_detection import DetectJob, detect_all
from cospeech.evaluation.sample_videos import still
from cospeech.evaluation.segments import REFERENCE, TRUTH, Stretch, Take
from cospeech.evaluation.throughput import Around
from cospeech.harness.progress import Progress
from cospeech.models.common.protocols import VideoCodec
from cospeech.pose.detectors import Options
from cospeech.sampling.generation import Drawn, Sampler, decode, draw

MODELS = ("teacher", "student", "copy_reference", "codec", TRUTH)


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
    jobs = []
    for index, (clip, stretch) in enumerate(zip(clips, stretches, strict=True)):
        count = len(stretch.frames)
        frames = {name: each[index].frames for name, each in drawn.items()}
        frames["copy_reference"] = still(stretch.reference, count)
        frames["codec"] = decode(codec, clip.latents(slice(stretch.start, stretch.stop)))
        frames[TRUTH] = stretch.frames
        known = {"copy_reference": clip.track[[REFERENCE] * count], TRUTH: stretch.track}
        jobs += [
            DetectJob(stretch.clip, name, frames[name], stretch.track, known.get(name), *detector) for name in MODELS
        ]
    found = detect_all(jobs, executor, bar)
    takes = {(job.clip, job.model): Take(job.model, job.frames, *found[job.clip, job.model]) for job in jobs}
    return [{name: takes[stretch.clip, name] for name in MODELS} for stretch in stretches]
