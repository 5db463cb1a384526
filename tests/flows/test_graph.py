"""The files of the graph say what the code needs, stage by stage."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cospeech.export.closure import import_graph, imported_modules
from flows.graph import load_files, load_graph, problems, rewrite, rooms

QUIET = {**os.environ, "DVC_NO_ANALYTICS": "1"}

STAGES = list(load_graph(Path(__file__).parents[2]))


@pytest.mark.parametrize("stage", STAGES)
def test_the_entry_agrees_with_the_code(repository: Path, stage: str) -> None:
    assert problems(repository, stage) == []


def test_the_files_are_as_they_would_be_written(repository: Path) -> None:
    """And the one with the stage that always runs is the first, and short."""
    files = load_files(repository)
    assert [*files] == ["pipelines/sources/dvc.yaml", "dvc.yaml"]
    assert [*files["pipelines/sources/dvc.yaml"]] == ["list_sources"]
    for file in files:
        assert rewrite(repository, file) == (repository / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("stage", ["ingest", "extract_poses", "extract_audio", "curate"])
def test_a_change_in_a_net_does_not_rerun_extraction(stage: str) -> None:
    """But for the lip-sync expert, which curate may ask; that costs it seconds, for pixels are in the store."""
    asked = {"cospeech/models/common", "cospeech/models/perception"} if stage == "curate" else set()
    assert not [room for room in {*rooms(stage)} - asked if room.startswith(("cospeech/models", "cospeech/attention"))]


def test_stages_import_no_more_than_they_need(repository: Path) -> None:
    """Sixteen processes a run: what each of them imports is waited for."""
    script = (
        "import sys, stages.curate; assert 'torch' not in sys.modules\n"
        "import stages.encode_latents, stages.export; assert 'diffusers.models.transformers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], cwd=repository, check=True)


def test_the_walk_follows_every_form_of_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = tmp_path / "toy_graph"
    (toy / "pose").mkdir(parents=True)
    (toy / "__init__.py").write_text("")
    (toy / "a.py").write_text(
        "from typing import TYPE_CHECKING\n\nimport numpy\n\nif TYPE_CHECKING:\n    from .unused import thing\n"
        "def run():\n    from toy_graph import late\n"
    )
    (toy / "late.py").write_text("import toy_graph.plain\nfrom .pose import draw\n")
    (toy / "plain.py").write_text("")
    (toy / "unused.py").write_text("")
    (toy / "pose/__init__.py").write_text("from ..deep import thing\n")
    (toy / "pose/draw.py").write_text("from . import table\n")
    (toy / "pose/table.py").write_text("")
    (toy / "deep.py").write_text("thing = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = imported_modules(import_graph("toy_graph"), {"toy_graph.a"}, lambda module: module != "toy_graph")
    expected = {"a", "late", "plain", "pose", "pose.draw", "pose.table", "deep"}
    assert found == {f"toy_graph.{name}" for name in expected}


def test_problems_name_what_is_missing_and_what_is_too_much(repository: Path, tmp_path: Path) -> None:
    entry = load_graph(repository)["encode_latents"]
    deps = [dep for dep in entry["deps"] if dep != "cospeech/pose"] + ["cospeech/serving"]
    graph = {"stages": {"encode_latents": {**entry, "deps": deps, "params": [*entry["params"], "seed"]}}}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(graph))
    (tmp_path / "stages").mkdir()
    shutil.copyfile(repository / "stages/encode_latents.py", tmp_path / "stages/encode_latents.py")
    assert problems(tmp_path, "encode_latents") == [
        "dvc.yaml: encode_latents: deps: add cospeech/pose",
        "dvc.yaml: encode_latents: deps: drop cospeech/serving",
        "dvc.yaml: encode_latents: params: drop seed",
    ]


ROOMS = sorted({dep for entry in load_graph(Path(__file__).parents[2]).values() for dep in entry["deps"]})
CODE = [dep for dep in ROOMS if dep.startswith("cospeech/")]


@pytest.fixture(scope="module")
def unrun(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose every stage DVC takes as up to date: its graph, its code, and files in place of all results."""
    root = tmp_path_factory.mktemp("unrun")
    for name in ("cospeech", "stages", "pipelines/sources", "params.yaml", "dvc.yaml", ".dvcignore"):
        source = repository / name
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, root / name)
    for entry in load_graph(repository).values():
        for path in (root / name for name in [*entry["deps"], *entry["outs"], *entry.get("metrics", [])]):
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(path.name)
    for command in (["init", "--no-scm", "-q"], ["commit", "-f", "-q"]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=root, check=True, env=QUIET)
    return root


@pytest.mark.parametrize("room", [*CODE, "cospeech/serving", "cospeech/cli", "cospeech/harness", "cospeech/config"])
def test_a_change_stales_the_stages_of_its_room_and_no_other(repository: Path, unrun: Path, room: str) -> None:
    file = next((unrun / room).rglob("*.py"))
    before = file.read_text(encoding="utf-8")
    file.write_text(before + "\n# changed\n", encoding="utf-8")
    try:
        ran = [sys.executable, "-m", "dvc", "status", "--json"]
        status = json.loads(subprocess.run(ran, cwd=unrun, check=True, capture_output=True, env=QUIET).stdout)
    finally:
        file.write_text(before, encoding="utf-8")
    graph = load_graph(repository)
    uses = {name for name, entry in graph.items() if any(f"{room}/".startswith(f"{dep}/") for dep in entry["deps"])}
    stale = {name.rpartition(":")[2] for name in status}
    assert stale == uses | {"list_sources"}


def test_the_codec_does_not_depend_on_attention() -> None:
    assert "cospeech/attention" not in rooms("train_codec")
    assert "cospeech/attention" in rooms("distill_student")
