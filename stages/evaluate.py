"""Measure teacher, student and two plain baselines on held-out clips, and write the report."""

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any

import torch

from stages.lib.artifacts import AudioFeatures, Curated, Words
from stages.lib.attention.plan import Mask
from stages.lib.context import Context
from stages.lib.dataset import CellWeights, ClipTensors, Window, load_clip
from stages.lib.device import pick_device
from stages.lib.evaluation.detect import DetectJob, detect_all
from stages.lib.evaluation.drawing import Drawn, Sampler, decode, draw
from stages.lib.evaluation.measure import Measured, Stretch, Take, measure
from stages.lib.evaluation.samples import save_still, still, write_comparison, write_whole
from stages.lib.evaluation.tables import clip_table, model_tables, speed_table, write_plots
from stages.lib.files import atomic_path, write_json
from stages.lib.media import read_frames
from stages.lib.nets.codec import Codec
from stages.lib.nets.denoiser import Denoiser
from stages.lib.nets.sync import SyncExpert
from stages.lib.pose.detectors import Options
from stages.lib.pose.dwpose import DwposeOptions
from stages.lib.pose.mediapipe import MediaPipeOptions
from stages.lib.provenance.identity import load_identity
from stages.lib.provenance.samples import STUDENT, sign_samples
from stages.lib.report import Figure, StageReport
from stages.lib.report_html import gather, write_report
from stages.lib.workspace import Workspace
from stages.params import Params

STAGE = "evaluate"
MODELS = ("teacher", "student", "copy_reference", "codec", "ground_truth")
_REFERENCE = 0
"""The frame of a clip that everything is drawn from."""


def run(params: Params, context: Context) -> StageReport:
    """Writes reports/metrics.json, reports/plots, reports/samples and reports/report.html.

    Raises:
        ValueError: no held-out clip, or files that do not fit each other.
    """
    workspace = context.workspace
    curated = Curated.load(workspace.curated)
    chosen = choose_clips(curated, params.evaluate.clips)
    if not chosen:
        raise ValueError(
            f"{workspace.curated}: no kept clip is held out (split test), so nothing can be measured; "
            "name one in the manifest's column split, or bring more clips"
        )
    clips = [load_clip(workspace, clip, curated.speaker(clip), CellWeights(0, 0, 0)) for clip in chosen]
    stretches = load_stretches(params, workspace, curated, clips)
    samplers = load_samplers(params, workspace)
    drawn = _draw_all(params, context, clips, stretches, samplers)
    takes = _takes(params, context, clips, stretches, drawn, samplers["student"].codec)
    expert = _load_expert(workspace, samplers["student"].device)
    measured = _measure_all(context, stretches, takes, expert)
    metrics = {
        **model_tables(measured, MODELS, expert is not None),
        "speed": speed_table(drawn, samplers["student"].device),
        "protocol": _protocol(params, stretches),
    }
    write_json(workspace.metrics, metrics)
    write_plots(workspace.plots, measured)
    _write_samples(params, context, clips, stretches, takes, samplers["student"])
    report = _report(workspace, metrics, stretches, takes)
    report.save(workspace.stage_report(STAGE))
    write_report(workspace.html_report, gather(workspace, metrics, measured))
    return report


def choose_clips(curated: Curated, count: int) -> list[str]:
    """At most `count` held-out clips, in turn of people seen and of people not seen in training, in manifest order."""
    people, clips = curated.seen_speakers(), curated.clips("test")
    seen = [clip for clip in clips if curated.speaker(clip) in people]
    unseen = [clip for clip in clips if curated.speaker(clip) not in people]
    return [clip for clip in chain.from_iterable(zip_longest(seen, unseen)) if clip is not None][:count]


def load_samplers(params: Params, workspace: Workspace) -> dict[str, Sampler]:
    """Teacher (dense, all its steps) and student (sparse, its steps), over one codec."""
    device = pick_device(params.compute.device)
    codec = Codec.from_pretrained(workspace.model("codec") / "image").to(device).eval()
    mask = Mask(params.attention.mask, params.attention.past_frames)
    ways = {"teacher": (params.teacher.steps, None), "student": (params.student.steps, mask)}
    return {
        name: Sampler(
            denoiser=Denoiser.from_pretrained(workspace.model(name)).to(device).eval(),
            codec=codec,
            steps=steps,
            shift=params.teacher.shift,
            window=params.evaluate.window,
            overlap=params.evaluate.overlap,
            mask=mask,
            precision=params.teacher.precision,
        )
        for name, (steps, mask) in ways.items()
    }


def load_stretches(
    params: Params, workspace: Workspace, curated: Curated, clips: Sequence[ClipTensors]
) -> list[Stretch]:
    """The middle `evaluate.frames` of every clip as they really are."""
    words, people = Words.load(workspace.words), curated.seen_speakers()
    return [_stretch(params, workspace, words, clip, clip.speaker in people) for clip in clips]


def _stretch(params: Params, workspace: Workspace, words: Words, clip: ClipTensors, seen: bool) -> Stretch:
    frames, features = read_frames(workspace.video(clip.clip)), AudioFeatures.load(workspace.audio(clip.clip))
    if not len(frames) == len(clip) == len(features.mel):
        raise ValueError(
            f"{clip.clip}: {len(frames)} frames, latents of {len(clip)}, sound of {len(features.mel)}; run dvc repro"
        )
    start = max(0, (len(clip) - params.evaluate.frames) // 2)
    part = slice(start, min(start + params.evaluate.frames, len(clip)))
    phones = words.of(clip.clip, "phone")
    return Stretch(
        clip=clip.clip,
        speaker=clip.speaker,
        seen=seen,
        start=part.start,
        stop=part.stop,
        fps=params.media.fps,
        frames=frames[part],
        keypoints=clip.keypoints[part] * params.media.size,
        confidence=clip.confidence[part],
        phones=list(zip(phones["text"], phones["start"], phones["end"], strict=True)),
        mel=features.mel,
    )


def _draw_all(
    params: Params,
    context: Context,
    clips: Sequence[ClipTensors],
    stretches: Sequence[Stretch],
    samplers: Mapping[str, Sampler],
) -> dict[str, list[Drawn]]:
    """Both models on the same stretches from the same noise; each draws one window before it is timed."""
    drawn: dict[str, list[Drawn]] = {name: [] for name in samplers}
    warm_up = Window(clips[0], 0, min(params.evaluate.window, len(clips[0])), _REFERENCE)
    for name, sampler in samplers.items():
        draw(sampler, warm_up, params.seed, 0)
        with context.progress(f"{name} draws", sum(len(stretch.frames) for stretch in stretches)) as bar:
            for index, (clip, stretch) in enumerate(zip(clips, stretches, strict=True)):
                window = Window(clip, stretch.start, stretch.stop, _REFERENCE)
                drawn[name].append(draw(sampler, window, params.seed, index))
                bar.update(len(stretch.frames))
    return drawn


def _takes(
    params: Params,
    context: Context,
    clips: Sequence[ClipTensors],
    stretches: Sequence[Stretch],
    drawn: Mapping[str, Sequence[Drawn]],
    codec: Codec,
) -> list[dict[str, Take]]:
    """By stretch and model. Keypoints are found anew in generated frames; real ones keep those of their clip."""
    frames = [{name: made[index].frames for name, made in drawn.items()} for index in range(len(clips))]
    for made, clip, stretch in zip(frames, clips, stretches, strict=True):
        made["codec"] = decode(codec, clip.latents_TChw[stretch.start : stretch.stop])
    backend, options = params.poses.backend, _detector_options(params)
    jobs = [
        DetectJob(stretch.clip, name, made, backend, options)
        for stretch, by_name in zip(stretches, frames, strict=True)
        for name, made in by_name.items()
    ]
    with context.progress("poses of generated frames", len(jobs)) as bar, context.executor() as executor:
        found = detect_all(jobs, executor, bar)
    takes = []
    for clip, stretch, by_name in zip(clips, stretches, frames, strict=True):
        made_takes = {name: Take(name, made, *found[stretch.clip, name]) for name, made in by_name.items()}
        made_takes["copy_reference"] = _copied(params, context.workspace, clip, len(stretch.frames))
        made_takes["ground_truth"] = Take(
            "ground_truth", stretch.frames, stretch.keypoints, stretch.confidence, real=True
        )
        takes.append({name: made_takes[name] for name in MODELS})
    return takes


def _detector_options(params: Params) -> Options:
    if params.poses.backend == "dwpose":
        return DwposeOptions(**params.poses.dwpose.model_dump())
    return MediaPipeOptions(**params.poses.mediapipe.model_dump())


def _copied(params: Params, workspace: Workspace, clip: ClipTensors, count: int) -> Take:
    """The reference frame standing still."""
    frame = read_frames(workspace.video(clip.clip))[_REFERENCE]
    keypoints, confidence = clip.keypoints[_REFERENCE] * params.media.size, clip.confidence[_REFERENCE]
    return Take("copy_reference", still(frame, count), still(keypoints, count), still(confidence, count))


def _load_expert(workspace: Workspace, device: torch.device) -> SyncExpert | None:
    folder = workspace.model("sync")
    return SyncExpert.from_pretrained(folder).to(device).eval() if folder.is_dir() else None


def _measure_all(
    context: Context, stretches: Sequence[Stretch], takes: Sequence[Mapping[str, Take]], expert: SyncExpert | None
) -> list[Measured]:
    measured = []
    with context.progress("measure", len(stretches) * len(MODELS)) as bar:
        for stretch, made in zip(stretches, takes, strict=True):
            for take in made.values():
                measured.append(measure(take, stretch, expert))
                bar.update(1)
    return measured


def _protocol(params: Params, stretches: Sequence[Stretch]) -> dict[str, Any]:
    return {
        "clips": clip_table(stretches),
        "seen": sorted(each.clip for each in stretches if each.seen),
        "unseen": sorted(each.clip for each in stretches if not each.seen),
        "frames": sum(len(each.frames) for each in stretches),
        "reference_frame": _REFERENCE,
        "window": params.evaluate.window,
        "overlap": params.evaluate.overlap,
        "teacher_steps": params.teacher.steps,
        "student_steps": params.student.steps,
        "detector": params.poses.backend,
        "size": params.media.size,
        "fps": params.media.fps,
        "seed": params.seed,
    }


def _write_samples(
    params: Params,
    context: Context,
    clips: Sequence[ClipTensors],
    stretches: Sequence[Stretch],
    takes: Sequence[Mapping[str, Take]],
    student: Sampler,
) -> None:
    """Comparisons of the stretches and the whole clips by the student, of the first `evaluate.samples` clips."""
    workspace, count = context.workspace, min(params.evaluate.samples, len(clips))
    with atomic_path(workspace.samples) as folder, context.progress("samples", count) as bar:
        folder.mkdir()
        for index in range(count):
            clip, stretch = clips[index], stretches[index]
            speech = workspace.speech(clip.clip)
            write_comparison(folder / f"{clip.clip}.mp4", speech, stretch, takes[index])
            whole = draw(student, Window(clip, 0, len(clip), _REFERENCE), params.seed, index)
            write_whole(folder / f"{clip.clip}{STUDENT}.mp4", speech, whole.frames, stretch.fps)
            bar.update(1)
        if params.provenance.sign:
            identity = load_identity(workspace.signing, params.provenance.key, params.provenance.certificates)
            sign_samples(folder, workspace, identity)


def _report(
    workspace: Workspace,
    metrics: Mapping[str, Any],
    stretches: Sequence[Stretch],
    takes: Sequence[Mapping[str, Take]],
) -> StageReport:
    figures: dict[str, Figure] = {"clips": len(stretches), "frames": metrics["protocol"]["frames"]}
    for model in MODELS[:3]:
        figures |= {f"{model}_{name}": metrics[model][name] for name in ("psnr", "ssim", "lmd", "hkc", "sync_c")}
        figures |= {f"{model}_psnr_{split}": metrics[model][split]["psnr"] for split in ("seen", "unseen")}
    speed = metrics["speed"]
    timings = {name: speed[name] for name in ("teacher_fps", "student_fps", "ratio")}
    summary = (
        f"{len(stretches)} held-out clips: student {metrics['student']['psnr']:.2f} dB, teacher "
        f"{metrics['teacher']['psnr']:.2f}, the reference frame copied {metrics['copy_reference']['psnr']:.2f}"
    )
    folder = workspace.stage_report(STAGE)
    picture = save_still(folder / "held_out.png", stretches, takes)
    caption = "held-out frames: reference, skeleton, truth, teacher, student"
    return StageReport(STAGE, summary, figures, timings, {caption: picture})
