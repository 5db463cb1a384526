"""Facts about the committed corpus that the rest of the pipeline builds on."""

import csv
import itertools
import json
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest

from cospeech.corpus.cast import CAST
from cospeech.corpus.manifest import COLUMNS
from cospeech.corpus.script import SCRIPT

DEMO = Path(__file__).parents[3] / "data/demo"
_LIMIT = 12_000_000


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with (DEMO / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        assert tuple(reader.fieldnames or ()) == COLUMNS
        return list(reader)


def test_manifest_is_that_of_the_script(rows: list[dict[str, str]]) -> None:
    assert [(row["uri"], row["speaker"], row["split"], row["transcript"]) for row in rows] == [
        (f"clips/{line.name}.mp4", line.speaker, line.split, line.text) for line in SCRIPT
    ]


def test_enough_people_and_clips(rows: list[dict[str, str]]) -> None:
    trained = Counter(row["speaker"] for row in rows if row["split"] == "train")
    assert len(rows) >= 28
    assert len(trained) == 12
    assert min(trained.values()) >= 2


def test_two_people_are_held_out_entirely_and_one_clip_of_four_others(rows: list[dict[str, str]]) -> None:
    trained = {row["speaker"] for row in rows if row["split"] == "train"}
    tested = Counter(row["speaker"] for row in rows if row["split"] == "test")
    assert {row["split"] for row in rows} == {"train", "test"}
    assert {speaker for speaker in tested if speaker not in trained} == {"noor", "tomas"}
    assert [tested[speaker] for speaker in tested if speaker in trained] == [1] * 4


def test_everybody_is_free_to_use(rows: list[dict[str, str]]) -> None:
    assert {row["licence"] for row in rows} == {"CC0-1.0"}
    assert all("synthetic" in row["consent"] for row in rows)


def test_size_on_disk() -> None:
    files = [path for path in DEMO.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < _LIMIT
    names = {path.stem for path in (DEMO / "clips").iterdir()}
    assert names == {line.name for line in SCRIPT}


@pytest.mark.parametrize("line", SCRIPT, ids=lambda line: line.name)
def test_clip_and_its_alignment(line: object) -> None:
    name = line.name  # type: ignore[attr-defined]
    with av.open(str(DEMO / f"clips/{name}.mp4")) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height) == (256, 256)
        assert video.average_rate == 25
        assert video.codec_context.name == "h264"
        assert video.codec_context.pix_fmt == "yuv420p"
        assert audio.codec_context.name == "aac"
        assert audio.rate == 16000
        seconds = video.frames / 25
        assert 4.0 <= seconds <= 6.0
        assert audio.duration * audio.time_base == pytest.approx(seconds, abs=0.1)
    alignment = json.loads((DEMO / f"clips/{name}.json").read_text(encoding="utf-8"))
    _check_alignment(alignment, seconds, line.text)  # type: ignore[attr-defined]


def _check_alignment(alignment: dict[str, list[dict]], seconds: float, text: str) -> None:
    words, phones = alignment["words"], alignment["phones"]
    assert [set(row) for row in words + phones] == [{"text", "start", "end"}] * (len(words) + len(phones))
    assert phones[0]["start"] == 0
    assert phones[-1]["end"] == pytest.approx(seconds)
    for before, after in itertools.pairwise(phones):
        assert before["end"] == pytest.approx(after["start"], abs=2e-4), "phones cover the clip without gaps"
    assert all(row["start"] < row["end"] for row in words + phones)
    assert all(before["end"] <= after["start"] + 1e-6 for before, after in itertools.pairwise(words))
    assert words[0]["start"] > 0
    assert words[-1]["end"] <= seconds
    spoken = " ".join(row["text"] for row in words)
    assert [_letters(word) for word in spoken.split()] == [_letters(word) for word in text.split()]


def _letters(word: str) -> str:
    return "".join(letter for letter in word.lower() if letter.isalpha())


def test_bilabials_abound() -> None:
    """Lip closure is measured on p, b and m."""
    count = 0
    for line in SCRIPT:
        alignment = json.loads((DEMO / f"clips/{line.name}.json").read_text(encoding="utf-8"))
        count += sum(phone["text"][:1] in ("p", "b", "m") for phone in alignment["phones"] if phone["text"])
    assert count > 4 * len(SCRIPT)


def test_the_cast_is_varied() -> None:
    train = [person for person in CAST if person.name not in ("noor", "tomas")]
    assert len({person.name for person in CAST}) == len(CAST) == 14
    assert sum(person.body.sex > 0.5 for person in train) == 6
    assert max(person.body.age for person in train) - min(person.body.age for person in train) > 0.3
    assert min(sum(person.skin) for person in train) < 0.5 < 1.4 < max(sum(person.skin) for person in train)
    assert len({person.hair.style for person in train}) >= 6
    assert len({person.backdrop.room for person in train}) >= 7


def test_nobody_wears_the_colour_of_their_skin() -> None:
    """Plain clothes, that is: at a glance they would seem to wear nothing."""
    for person in (each for each in CAST if each.clothes.pattern == "plain"):
        skin, shirt = (np.array(colour) ** (1 / 2.2) for colour in (person.skin, person.clothes.colour))
        apart = float(np.linalg.norm(skin - shirt))
        assert apart > 0.25, (person.name, apart)
