"""Measure teacher, student and two plain baselines on held-out clips, and write the report."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain, zip_longest

from cospeech.artifacts import Curated
from cospeech.config import Params, dumped
from cospeech.datasets.loss_weights import CellWeights
from cospeech.datasets.motion_clips import load_moving
from cospeech.datasets.windows import Clip, longest_window
from cospeech.evaluation.av_offset import footage_offsets, offset_table
from cospeech.evaluation.clip_metrics import Measured, RealFeatures, measure
from cospeech.evaluation.control_tables import control_tables
from cospeech.evaluation.generate_all import MODELS, DrawnSet, draw_all, take_all
from cospeech.evaluation.motion_lip_sync import puppet_scores
from cospeech.evaluation.networks_bundle import Judges, load_judges
from cospeech.evaluation.sample_videos import save_still, write_comparison, write_whole
from cospeech.evaluation.segments import REFERENCE, Stretch, Take, load_stretches
from cospeech.evaluation.strips import write_strips
from cospeech.evaluation.tables import clip_table, model_tables, write_plots
from cospeech.evaluation.throughput import Around, speed_table
from cospeech.families.base import Family
from cospeech.families.factory import pick_family
from cospeech.harness.context import Context
from cospeech.harness.files import atomic_path, write_json
from cospeech.harness.process_pool import available_cores
from cospeech.harness.stage_report import Figure, StageReport
from cospeech.harness.workspace import Workspace
from cospeech.metrics.registry import LEAD
from cospeech.models.common.protocols import VideoCodec
from cospeech.motion.model import MotionModel
from cospeech.motion_evaluation.gesture_metrics import all_motion, gesture_tables, train_encoder
from cospeech.pose.detectors import options_of
from cospeech.provenance.identity import load_identity
from cospeech.provenance.samples import STUDENT, sign_samples
from cospeech.report import gather, write_report
from cospeech.sampling.generation import Sampler, draw
from cospeech.sampling.quantization import load_ranges, pick_arithmetic
from cospeech.sampling.sections import student_sampling, teacher_sampling
from cospeech.utils.device import pick_device
from cospeech.utils.json_types import JSONObject, JSONValue

STAGE = "evaluate"
_AT_ONCE = 4
"""Most takes measured at the same time: each may hold a batch of every judge's network in memory."""


def run(params: Params, context: Context) -> StageReport:
    """Writes reports/quality.json, reports/metrics.json (the same and speed), reports/plots, samples and report.html.

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
    family = family_of(params)
    clips = [family.clip(workspace, clip, curated.speaker(clip), CellWeights(0, 0, 0)) for clip in chosen]
    media, device = params.media, pick_device(params.compute.device)
    stretches = load_stretches(workspace, curated, clips, params.evaluate.frames, media.fps)
    samplers = load_samplers(params, workspace)
    drawn = _draw(params, context, clips, stretches, samplers)
    takes = _take(params, context, clips, stretches, drawn, samplers["teacher"].codec)
    weights = params.evaluate.weights.model_dump()
    judges = load_judges(weights, workspace.measures, workspace.model("sync"), device, media.fps, media.sample_rate)
    measured = _measure_all(context, stretches, takes, judges)
    offsets = footage_offsets(workspace, curated, curated.clips("test"), judges.sync, media.fps)
    quality = {
        **control_tables(measured),
        **model_tables(measured, MODELS, judges, params.seed),
        "motion": _motion(params, context, curated, clips, stretches, samplers["student"], judges),
        "footage_offsets": offset_table(offsets),
        "protocol": _protocol(params, stretches, judges),
    }
    arithmetic = {name: sampler.title for name, sampler in samplers.items()}
    metrics = {**quality, "speed": speed_table(drawn.drawn, drawn.around, arithmetic, device)}
    write_json(workspace.quality, quality)
    write_json(workspace.metrics, metrics)
    write_plots(workspace.plots, measured, offsets)
    _write_samples(params, context, clips, stretches, takes, samplers["student"])
    report = _report(workspace, metrics, stretches, takes)
    report.save(workspace.stage_report(STAGE))
    write_report(workspace.html_report, gather(workspace, metrics, [each.row for each in measured]))
    return report


def choose_clips(curated: Curated, count: int) -> list[str]:
    """At most `count` held-out clips, in turn of people seen and of people not seen in training, in manifest order."""
    people, clips = curated.seen_speakers(), curated.clips("test")
    seen = [clip for clip in clips if curated.speaker(clip) in people]
    unseen = [clip for clip in clips if curated.speaker(clip) not in people]
    return [clip for clip in chain.from_iterable(zip_longest(seen, unseen)) if clip is not None][:count]


def family_of(params: Params) -> Family:
    return pick_family(dumped(params.wan), params.teacher.precision, params.seed)


def load_samplers(params: Params, workspace: Workspace) -> dict[str, Sampler]:
    """Teacher (dense, all its steps) and student (sparse, its steps, as its export draws), over one codec."""
    device, family = pick_device(params.compute.device), family_of(params)
    window, overlap = params.evaluate.window, params.evaluate.overlap
    slow = replace(teacher_sampling(params.teacher), window=window, overlap=overlap)
    quick = student_sampling(params.student, params.teacher, params.attention, window, overlap)
    codec = family.codec(workspace, device)
    teacher = Sampler(family.load(workspace, "teacher", device, guided=True), codec, slow)
    student = Sampler(family.load(workspace, "student", device), codec, quick)
    arithmetic = pick_arithmetic(device, params.teacher.precision, load_ranges(workspace.ranges))
    return {"teacher": teacher, "student": student.drawing_in(arithmetic)}


def _draw(
    params: Params,
    context: Context,
    clips: Sequence[Clip],
    stretches: Sequence[Stretch],
    samplers: Mapping[str, Sampler],
) -> DrawnSet:
    device = pick_device(params.compute.device)
    encoder = family_of(params).pose_input(context.workspace, device)
    around = Around(_load_motion(context.workspace), params.motion.sampling_steps, encoder, device, params.media.ffmpeg)
    frames = sum(len(stretch.frames) for stretch in stretches)
    with context.progress("teacher and student draw", len(samplers) * frames) as bar:
        return draw_all(clips, stretches, samplers, around, params.seed, bar)


def _take(
    params: Params,
    context: Context,
    clips: Sequence[Clip],
    stretches: Sequence[Stretch],
    drawn: DrawnSet,
    codec: VideoCodec,
) -> list[dict[str, Take]]:
    detector = params.poses.backend, options_of(params.poses.backend, params.poses.model_dump())
    with context.progress("poses of generated frames", len(clips) * len(MODELS)) as bar, context.executor() as executor:
        return take_all(clips, stretches, drawn.drawn, codec, detector, executor, bar)


def _load_motion(workspace: Workspace) -> MotionModel | None:
    folder = workspace.model("motion")
    return MotionModel.from_pretrained(folder).eval() if folder.is_dir() else None


def _measure_all(
    context: Context, stretches: Sequence[Stretch], takes: Sequence[Mapping[str, Take]], judges: Judges
) -> list[Measured]:
    """In threads, for most of it is work outside of Python that uses one core."""
    jobs = []
    for stretch, made in zip(stretches, takes, strict=True):
        real = RealFeatures.of(stretch, judges)
        jobs += [(take, stretch, judges, real) for take in made.values()]
    with context.progress("measure", len(jobs)) as bar, ThreadPoolExecutor(min(available_cores(), _AT_ONCE)) as threads:
        measured = []
        for each in threads.map(lambda job: measure(*job), jobs):
            measured.append(each)
            bar.update(1)
    return measured


def _motion(
    params: Params,
    context: Context,
    curated: Curated,
    clips: Sequence[Clip],
    stretches: Sequence[Stretch],
    student: Sampler,
    judges: Judges,
) -> JSONObject:
    """Motion drawn from the voice of all held-out clips, against theirs; lip-sync of the stretches as the student shows
    it."""
    workspace = context.workspace
    training, held_out = (load_moving(workspace, curated.clips(split)) for split in ("train", "test"))
    steps = params.evaluate.encoder_steps
    with context.progress("train gesture encoder", steps) as bar:
        encoder = train_encoder(training, steps, params.seed, bar)
    kinds = all_motion(_load_motion(workspace), training, held_out, params.motion.sampling_steps, params.seed)
    names = curated.clips("test")
    pose_encoder = family_of(params).pose_input(workspace, student.device)
    shown, parts = clips[: params.evaluate.shown], stretches[: params.evaluate.shown]
    puppets = {name: [tracks[names.index(clip.clip)] for clip in shown] for name, tracks in kinds.items()}
    with context.progress("motion shown by the student", len(puppets) * len(shown)) as bar:
        scores = puppet_scores(puppets, shown, parts, student, pose_encoder, judges, params.seed, bar)
    judged = {name: dict(zip([clip.clip for clip in shown], each, strict=True)) for name, each in scores.items()}
    sync = {name: [by_clip.get(clip) for clip in names] for name, by_clip in judged.items()}
    return gesture_tables(kinds, held_out, encoder, params.media.fps, params.seed, sync)


def _protocol(params: Params, stretches: Sequence[Stretch], judges: Judges) -> JSONObject:
    backend = params.poses.backend
    return {
        "clips": clip_table(stretches),
        "seen": sorted(each.clip for each in stretches if each.seen),
        "unseen": sorted(each.clip for each in stretches if not each.seen),
        "frames": sum(len(each.frames) for each in stretches),
        "reference_frame": REFERENCE,
        "window": params.evaluate.window,
        "overlap": params.evaluate.overlap,
        "chunk": None if params.attention.streamed is None else params.attention.streamed.chunk,
        "teacher_steps": params.teacher.steps,
        "student_steps": params.student.steps,
        "temperature": params.teacher.temperature,
        "detector": backend,
        "detector_size": max(params.media.size, params.poses.mediapipe.size if backend == "mediapipe" else 0),
        "size": params.media.size,
        "fps": params.media.fps,
        "seed": params.seed,
        "weights": dict(judges.digests or {}),
    }


def _write_samples(
    params: Params,
    context: Context,
    clips: Sequence[Clip],
    stretches: Sequence[Stretch],
    takes: Sequence[Mapping[str, Take]],
    student: Sampler,
) -> None:
    """Comparisons of the stretches and the whole clips by the student, of the first `evaluate.samples` clips."""
    workspace, count = context.workspace, min(params.evaluate.samples, len(clips))
    ffmpeg = params.media.ffmpeg
    with atomic_path(workspace.samples) as folder, context.progress("samples", count) as bar:
        folder.mkdir()
        for index in range(count):
            clip, stretch = clips[index], stretches[index]
            write_comparison(folder / f"{clip.clip}.mp4", stretch, takes[index], ffmpeg)
            window = longest_window(clip, REFERENCE)
            whole = draw(student, window, params.seed, index).frames
            path = folder / f"{clip.clip}{STUDENT}.mp4"
            write_whole(path, workspace.speech(clip.clip), whole, stretch.fps, window.start, ffmpeg)
            bar.update(1)
        if params.provenance.sign:
            identity = load_identity(workspace.signing, params.provenance.key, params.provenance.certificates)
            sign_samples(folder, workspace, identity)


def _report(
    workspace: Workspace,
    metrics: Mapping[str, JSONValue],
    stretches: Sequence[Stretch],
    takes: Sequence[Mapping[str, Take]],
) -> StageReport:
    figures: dict[str, Figure] = {"clips": len(stretches), "frames": metrics["protocol"]["frames"]}
    for model in MODELS[:4]:
        figures |= {f"{model}_{measure.key}": metrics[model][measure.key] for measure in LEAD}
    for model in MODELS[:3]:
        figures |= {f"{model}_{name}": metrics[model][name] for name in ("psnr", "ssim", "lmd", "hkc", "sync_c")}
        figures |= {f"{model}_psnr_{split}": metrics[model][split]["psnr"] for split in ("seen", "unseen")}
    figures |= {f"footage_{name}": value for name, value in metrics["footage_offsets"].items()}
    speed = metrics["speed"]
    timings = {name: speed[name] for name in ("teacher_fps", "student_fps", "ratio")}
    folder = workspace.stage_report(STAGE)
    picture = save_still(folder / "held_out.png", stretches, takes)
    write_strips(folder, stretches, takes)
    caption = "held-out frames: reference, skeleton, truth, teacher, student"
    return StageReport(STAGE, _summary(metrics), figures, timings, {caption: picture})


def _summary(metrics: Mapping[str, JSONValue]) -> str:
    """What a person would see first, then dB."""
    by_model = [metrics[model] for model in ("student", "teacher", "codec", "copy_reference")]
    slopes, lpips, faces, hands = (
        ["-" if each[key] is None else f"{each[key]:.2f}" for each in by_model]
        for key in ("mouth_slope", "lpips", "lpips_face", "lpips_hands")
    )
    gain = metrics["student_minus_teacher"]
    low, high = gain["interval"]["psnr"]
    return (
        f"{metrics['student']['clips']} held-out clips: mouths open {slopes[0]} of what is asked (teacher {slopes[1]}, "
        f"codec alone {slopes[2]}); LPIPS {lpips[0]} (teacher {lpips[1]}, copying {lpips[3]}), of faces {faces[0]} "
        f"({faces[3]}), of hands {hands[0]} ({hands[3]}), hands not found {metrics['student']['hand_missing']:.0%}; "
        f"student {metrics['student']['psnr']:.2f} dB, teacher {metrics['teacher']['psnr']:.2f} ({gain['psnr']:+.2f}, "
        f"95% interval {low:+.2f} to {high:+.2f}), the reference frame copied {metrics['copy_reference']['psnr']:.2f}"
    )
