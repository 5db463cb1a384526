"""The stage on clips of one or two seconds."""

from pathlib import Path

import numpy as np
import pytest

from cospeech.artifacts import AudioFeatures, Words
from cospeech.config import Params, load_params
from cospeech.harness.clip_cache import record_path
from cospeech.harness.files import file_digest
from cospeech.harness.stage_report import StageReport
from cospeech.media import decode_speech
from stages import extract_audio
from tests.cospeech.audio.checkpoints import PHONES, make_phone_model, make_wav2vec2
from tests.stages.small_project import SmallProject

WORDS = {
    "words": [{"text": "Hello", "start": 0.1, "end": 0.5}],
    "phones": [{"text": "", "start": 0, "end": 0.1}, {"text": "h", "start": 0.1, "end": 0.2}],
}


@pytest.fixture(scope="module")
def params(repository: Path) -> Params:
    return load_params(repository / "params.yaml")


@pytest.fixture(scope="module")
def speech(repository: Path) -> np.ndarray:
    return decode_speech(sorted((repository / "data/demo/clips").glob("*.mp4"))[0], 16000, 0.0, 3.0).samples


@pytest.fixture
def project(tmp_path: Path, speech: np.ndarray) -> SmallProject:
    project = SmallProject(tmp_path)
    project.add("one", speech, 50, alignment=WORDS)
    project.refuse("broken", "not a video")
    project.add("two", speech[16000:], 30)
    return project


def with_audio(params: Params, **changes: object) -> Params:
    return params.model_copy(update={"audio": params.audio.model_copy(update=changes)})


def test_features_words_and_a_report_of_every_usable_clip(project: SmallProject, params: Params) -> None:
    report = extract_audio.run(params, project.context)
    workspace = project.workspace
    for clip, frames in (("one", 50), ("two", 30)):
        features = AudioFeatures.load(workspace.audio(clip))
        assert features.mel.shape == (frames, 4, 80)
        assert features.voice.shape == (frames,)
        assert features.learned is None
    words = Words.load(workspace.words)
    assert words.of("one", "word")[["text", "start", "end", "source"]].values.tolist() == [
        ["Hello", 0.1, 0.5, "manifest"]
    ]
    assert words.of("one", "phone")["text"].tolist() == ["h"]
    assert words.of("two", "word").empty
    assert report.figures["clips"] == 2
    assert report.figures["words"] == report.figures["phones"] == 1
    saved = StageReport.load(workspace.stage_report("extract_audio"))
    assert [path.is_file() for path in saved.pictures.values()] == [True]
    assert record_path(workspace.store, "extract_audio").is_file()


def test_only_what_changed_is_heard_again(project: SmallProject, params: Params, speech: np.ndarray) -> None:
    extract_audio.run(params, project.context)
    assert sorted(project.worked) == ["one", "two"]
    before = file_digest(project.workspace.audio("one"))
    project.worked.clear()
    project.workspace.audio("one").unlink()
    project.add("three", speech[8000:], 25)
    report = extract_audio.run(params, project.context)
    assert project.worked == ["three"]
    assert report.timings["reused"] == 2
    assert file_digest(project.workspace.audio("one")) == before


def test_two_runs_write_the_same_bytes(project: SmallProject, params: Params, tmp_path: Path) -> None:
    def outputs() -> dict[str, str]:
        extract_audio.run(params, project.context)
        workspace = project.workspace
        files = [workspace.audio("one"), workspace.words, *workspace.stage_report("extract_audio").iterdir()]
        return {path.name: file_digest(path) for path in files}

    first = outputs()
    for path in project.workspace.store.rglob("*.safetensors"):
        path.unlink()  # as if nothing had been kept
    assert outputs() == first


def test_a_clip_that_left_the_manifest_leaves_the_folder(project: SmallProject, params: Params) -> None:
    extract_audio.run(params, project.context)
    project.rows.pop()
    project.save()
    extract_audio.run(params, project.context)
    assert [path.stem for path in project.workspace.audio("one").parent.iterdir()] == ["one"]


def test_configured_models_add_a_feature_and_phones(project: SmallProject, params: Params, tmp_path: Path) -> None:
    configured = with_audio(
        params,
        features="wav2vec2",
        features_model=make_wav2vec2(tmp_path / "encoder"),
        phone_recogniser=make_phone_model(tmp_path / "phones"),
    )
    extract_audio.run(configured, project.context)
    learned = AudioFeatures.load(project.workspace.audio("two")).learned
    assert learned is not None
    assert learned.shape == (30, 16)
    words = Words.load(project.workspace.words)
    assert set(words.of("one", "phone")["source"]) == {"manifest"}  # what the source brought is not guessed again
    heard = words.of("two", "phone")
    assert set(heard["source"]) <= {"ctc"}
    assert set(heard["text"]) <= set(PHONES[5:])
    assert heard["end"].max() <= 1.2


def test_a_failing_model_names_clips_and_reason(project: SmallProject, params: Params, tmp_path: Path) -> None:
    configured = with_audio(params, features="whisper", features_model=make_wav2vec2(tmp_path / "encoder"))
    with pytest.raises(ValueError, match=r"audio: 2 of 2 clips failed(.|\n)*one: .*is a wav2vec2 model"):
        extract_audio.run(configured, project.context)


def test_missing_sound_file_is_named(project: SmallProject, params: Params) -> None:
    project.workspace.speech("two").unlink()
    with pytest.raises(ValueError, match=r"clip two: .*two.wav is missing .*ingest"):
        extract_audio.run(params, project.context)


def test_nothing_usable_says_where_to_look(tmp_path: Path, params: Params) -> None:
    project = SmallProject(tmp_path)
    project.refuse("broken", "not a video")
    with pytest.raises(ValueError, match=r"no usable clip; its column reason"):
        extract_audio.run(params, project.context)


def test_params_name_models_that_are_missing() -> None:
    from cospeech.config.footage import Audio

    good = dict.fromkeys(("features_model", "recogniser", "language", "word_aligner", "phone_recogniser"))
    with pytest.raises(ValueError, match=r"whisper.*features_model"):
        Audio(features="whisper", hub=False, **good)
    with pytest.raises(ValueError, match="recogniser"):
        Audio(features="none", hub=False, **{**good, "word_aligner": "folder"})
