import json
from pathlib import Path
from typing import Any

import pytest

from cospeech.audio.words import Span, manifest_rows, rows


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_words_and_phones_of_the_source(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.json",
        {
            "words": [{"text": "Map", "start": 0.1, "end": 0.4}],
            "phones": [{"text": "", "start": 0, "end": 0.1}, {"text": "m", "start": 0.1, "end": 0.2}],
        },
    )
    assert manifest_rows("a", path, 1.0) == [
        {"clip": "a", "kind": "word", "text": "Map", "start": 0.1, "end": 0.4, "source": "manifest"},
        {"clip": "a", "kind": "phone", "text": "m", "start": 0.1, "end": 0.2, "source": "manifest"},
    ]


@pytest.mark.parametrize(
    "value", [[], {"words": [{"text": "a"}]}, {"words": 3}, {"words": [{"text": "a", "start": "x", "end": 1}]}]
)
def test_another_shape_is_named(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ValueError, match=r"clip a: a\.json"):
        manifest_rows("a", write(tmp_path / "a.json", value), 1.0)


def test_broken_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("{")
    with pytest.raises(ValueError, match=r"clip a: a.json"):
        manifest_rows("a", path, 1.0)


@pytest.mark.parametrize(("start", "end"), [(-0.1, 0.2), (0.5, 0.4), (0.9, 1.2)])
def test_times_outside_the_clip_are_named(tmp_path: Path, start: float, end: float) -> None:
    path = write(tmp_path / "a.json", {"words": [{"text": "Map", "start": start, "end": end}]})
    with pytest.raises(ValueError, match=rf"clip a: .*'Map' at {start} to {end} s.* 1\.000"):
        manifest_rows("a", path, 1.0)


def test_rows_drop_silence_and_round() -> None:
    assert rows("a", "phone", "ctc", [Span(" ", 0, 1), Span(" m ", 0.12345, 0.2)]) == [
        {"clip": "a", "kind": "phone", "text": "m", "start": 0.123, "end": 0.2, "source": "ctc"}
    ]
