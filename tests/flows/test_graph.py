"""The files of the graph say what the code needs, stage by stage."""

import subprocess
import sys
from pathlib import Path

import pytest

from flows.graph import library_closure, load_files, load_graph, problems, rewrite, sections

STAGES = list(load_graph(Path(__file__).parents[2]))


@pytest.mark.parametrize("stage", STAGES)
def test_the_entry_agrees_with_the_code(repository: Path, stage: str) -> None:
    assert problems(repository, stage) == []


def test_the_files_are_as_they_would_be_written(repository: Path) -> None:
    """And the one with the stage that always runs is the first, and short."""
    files = load_files(repository)
    assert [*files] == ["sources/dvc.yaml", "dvc.yaml"]
    assert [*files["sources/dvc.yaml"]] == ["list_sources"]
    for file in files:
        assert rewrite(repository, file) == (repository / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("stage", ["ingest", "extract_poses", "extract_audio", "curate"])
def test_a_change_in_a_net_does_not_rerun_extraction(repository: Path, stage: str) -> None:
    """But for the lip-sync expert, which curate may ask; that costs it seconds, for pixels are in the store."""
    expert = {f"stages/lib/nets/{name}.py" for name in ("sync", "model", "tensors")}
    asked = expert if stage == "curate" else set()
    closure = library_closure(repository, stage) - asked
    assert not [path for path in closure if path.startswith(("stages/lib/nets", "stages/lib/attention"))]


def test_stages_import_no_more_than_they_need(repository: Path) -> None:
    """Sixteen processes a run: what each of them imports is waited for."""
    script = (
        "import sys, stages.curate; assert 'torch' not in sys.modules\n"
        "import stages.encode_latents, stages.export; assert 'diffusers.models.transformers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], cwd=repository, check=True)


def test_closure_follows_every_form_of_import(tmp_path: Path) -> None:
    lib = tmp_path / "stages/lib"
    (lib / "pose").mkdir(parents=True)
    (tmp_path / "stages/a.py").write_text(
        "import numpy\nfrom stages.lib.context import Context\n\n"
        "def run(params, context):\n    from stages.lib import late\n    return params.media, params.compute.device\n"
    )
    (lib / "context.py").write_text("")
    (lib / "late.py").write_text("import stages.lib.plain\nfrom .pose import draw\n")
    (lib / "plain.py").write_text("")
    (lib / "unused.py").write_text("")
    (lib / "pose/__init__.py").write_text('"""Only words."""\n')
    (lib / "pose/draw.py").write_text("from . import table\nfrom ..deep import thing\n")
    (lib / "pose/table.py").write_text("")
    (lib / "deep.py").write_text("thing = 1\n")
    expected = {"late.py", "plain.py", "pose/draw.py", "pose/table.py", "deep.py"}
    assert library_closure(tmp_path, "a") == {f"stages/lib/{name}" for name in expected}
    assert sections(tmp_path, "a") == {"media"}
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  a:\n    cmd: x\n    deps: [stages/a.py, stages/lib/late.py, stages/lib/plain.py, stages/lib/pose,\n"
        "      stages/lib/unused.py]\n    params: [media, seed]\n"
    )
    assert problems(tmp_path, "a") == [
        "dvc.yaml: a: deps: add stages/lib/deep.py",
        "dvc.yaml: a: deps: drop stages/lib/unused.py",
        "dvc.yaml: a: params: drop seed",
    ]
