"""Pages, the clean command, the demo's last words: no server, no child process."""

import gc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cospeech.harness.stage_report import StageReport
from cospeech.harness.workspace import Workspace
from flows.check import check
from flows.clean import clean
from flows.demo import closing
from flows.process.imports import import_large
from flows.runs.artifacts import PICTURE_BYTES, data_uri, stage_page
from flows.runs.flow_run import HEARTBEATS, without_heartbeats


def test_a_large_noisy_picture_is_made_small_enough(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (1500, 2500, 3), np.uint8)).save(path)
    assert path.stat().st_size > 10 * PICTURE_BYTES
    assert len(data_uri(path)) <= PICTURE_BYTES * 4 / 3 + 30


def test_a_page_has_every_figure_and_no_broken_table() -> None:
    report = StageReport("curate", "3 kept", {"kept": 3, "psnr": 26.4567, "why": "a|b\nc", "sync_c": None})
    page = stage_page(report)
    assert page.startswith("# curate\n\n3 kept\n\n")
    assert "| kept | 3 |\n| psnr | 26.46 |\n| why | a\\|b c |\n| sync c |  |" in page
    assert "timing" not in page


def test_clean_removes_outputs_and_spares_what_is_the_users(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  a:\n    cmd: x\n    metrics: [reports/metrics.json]\n"
        "    outs: [data/clips, reports/plots: {cache: false}]\n"
    )
    mine = tmp_path / "data/my_footage/holiday.mp4"
    made = [tmp_path / "data/clips/a.mp4", tmp_path / "reports/metrics.json", tmp_path / "reports/plots/a.json"]
    for path in [mine, *made, tmp_path / ".cospeech/store/kept", tmp_path / ".dvc/cache/kept"]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert len(clean(tmp_path)) == 3
    assert not any(path.exists() for path in made)
    assert mine.exists()
    assert (tmp_path / ".cospeech/store/kept").exists()
    assert (tmp_path / ".dvc/cache/kept").exists()


def test_a_parameter_file_with_a_missing_key_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "params").mkdir()
    (tmp_path / "params.yaml").write_text("seed: 0\n")
    (tmp_path / "dvc.yaml").write_text("stages: {gone: {cmd: x, deps: []}}\n")
    found = "\n".join(check(tmp_path))
    assert "media: missing key" in found
    assert "dvc.yaml: gone: stages/gone.py does not exist" in found


def test_the_demo_ends_with_where_to_look(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.samples.mkdir(parents=True)
    (workspace.samples / "mei_student.mp4").touch()
    text = closing(workspace, "http://127.0.0.1:4200/api", 600)
    assert "10.0 minutes" in text
    for shown in (workspace.html_report, workspace.samples / "mei_student.mp4", workspace.model("export")):
        assert str(shown) in text
    assert "http://127.0.0.1:4200 " in text
    assert "dashboard" not in closing(workspace, None, 600)


def test_a_run_has_no_heartbeats_but_for_who_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings import get_current_settings

    before = get_current_settings()
    assert before.flows.heartbeat_frequency
    monkeypatch.delenv(HEARTBEATS, raising=False)
    with without_heartbeats():
        assert get_current_settings().flows.heartbeat_frequency is None
        assert get_current_settings().api == before.api
    assert get_current_settings().flows.heartbeat_frequency == before.flows.heartbeat_frequency
    monkeypatch.setenv(HEARTBEATS, "40")
    with without_heartbeats():
        assert get_current_settings().flows.heartbeat_frequency == before.flows.heartbeat_frequency


def test_after_a_large_import_garbage_is_collected_again_even_if_it_failed() -> None:
    assert import_large("flows.demo").closing is closing
    assert gc.isenabled()
    with pytest.raises(ModuleNotFoundError):
        import_large("flows.no_such_module")
    assert gc.isenabled()
