"""Hear every clip: log-mel, a learned feature, voice activity; words and phones with times."""

import time
from pathlib import Path

import pandas as pd

from cospeech.artifacts import AudioFeatures, Ledger, Words
from cospeech.artifacts.audio import WORD_COLUMNS
from cospeech.audio.extract import FEATURES_FILE, WORDS_FILE, AudioJob, AudioSettings, extract_clip
from cospeech.audio.speech_plot import draw_audio
from cospeech.audio.words import manifest_rows
from cospeech.config import Params
from cospeech.harness.cached_map import cached_map
from cospeech.harness.clip_cache import ClipStore
from cospeech.harness.context import Context
from cospeech.harness.files import file_digest, read_json
from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from cospeech.media import read_speech
from cospeech.utils.json_types import JSONObject

STAGE = "extract_audio"


def run(params: Params, context: Context) -> StageReport:
    """Write data/audio and data/words.parquet for every clip that ingest produced.

    Raises:
        ValueError: no clips, or some could not be worked (the message names each; what was finished is kept).
    """
    begun = time.monotonic()
    workspace = context.workspace
    ledger = Ledger.load(workspace.ledger)
    if not ledger.usable:
        raise ValueError(f"{workspace.ledger}: no usable clip; its column reason says why each was refused")
    jobs = _jobs(params, workspace, ledger)
    reused = cached_map(jobs, extract_clip, lambda job: _targets(job, workspace), context, "audio")
    words = _words(jobs, workspace, params)
    words.save(workspace.words)
    _remove_stale(workspace, set(reused))
    timings = {"seconds": time.monotonic() - begun, "reused": sum(reused.values())}
    report = _report(params, workspace, jobs, words, timings)
    report.save(workspace.stage_report(STAGE))
    return report


def _jobs(params: Params, workspace: Workspace, ledger: Ledger) -> list[AudioJob]:
    settings = AudioSettings(fps=params.media.fps, **params.audio.model_dump())
    store = ClipStore(workspace.store, STAGE, settings.salt())
    jobs = []
    for clip in ledger.usable:
        frames = int(ledger.table.loc[ledger.table["clip"] == clip, "frames"].iloc[0])
        speech, recognise = workspace.speech(clip), not workspace.alignment(clip).is_file()
        if not speech.is_file():
            raise ValueError(f"clip {clip}: {speech} is missing though {workspace.ledger} names it; run ingest again")
        key = store.key(clip, file_digest(speech), str(frames), str(recognise))
        jobs.append(AudioJob(clip, speech, frames, recognise, settings, store, key))
    return jobs


def _targets(job: AudioJob, workspace: Workspace) -> dict[str, Path]:
    return {FEATURES_FILE: workspace.audio(job.clip), WORDS_FILE: _recognised_words(job, workspace)}


def _recognised_words(job: AudioJob, workspace: Workspace) -> Path:
    return workspace.scratch / STAGE / f"{job.clip}.json"


def _words(jobs: list[AudioJob], workspace: Workspace, params: Params) -> Words:
    rows: list[JSONObject] = []
    for job in jobs:
        if job.recognise:
            rows += read_json(_recognised_words(job, workspace))
        else:
            rows += manifest_rows(job.clip, workspace.alignment(job.clip), job.frames / params.media.fps)
    return Words(pd.DataFrame(rows, columns=list(WORD_COLUMNS)))


def _remove_stale(workspace: Workspace, clips: set[str]) -> None:
    for path in workspace.audio("any").parent.glob("*.safetensors"):
        if path.stem not in clips:
            path.unlink()


def _report(
    params: Params, workspace: Workspace, jobs: list[AudioJob], words: Words, timings: dict[str, float]
) -> StageReport:
    features = {job.clip: AudioFeatures.load(workspace.audio(job.clip)) for job in jobs}
    counts = words.table["kind"].value_counts()
    shown = next((job for job in jobs if len(words.of(job.clip, "word"))), jobs[0])
    picture = workspace.stage_report(STAGE) / "audio.png"
    speech, rate = read_speech(shown.speech)
    rows = words.table[words.table["clip"] == shown.clip]
    draw_audio(picture, shown.clip, speech, rate, features[shown.clip], rows, params.media.fps)
    frames = sum(job.frames for job in jobs)
    voice = sum(float((item.voice > 0.5).sum()) for item in features.values()) / max(frames, 1)
    figures = {
        "clips": len(jobs),
        "seconds": round(frames / params.media.fps, 2),
        "voice_share": round(voice, 4),
        "words": int(counts.get("word", 0)),
        "phones": int(counts.get("phone", 0)),
        "learned_feature": params.audio.features,
    }
    summary = (
        f"{len(jobs)} clips, {figures['seconds']} s of sound, speech in {voice:.0%} of the frames, "
        f"{figures['words']} words and {figures['phones']} phones with times"
    )
    return StageReport(STAGE, summary, figures, timings, {f"What is heard in {shown.clip}": picture})
