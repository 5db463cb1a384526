"""Tiny Wan models, made once: encoded, then taught, then distilled, all in one project."""

import shutil
from pathlib import Path

import pytest

from cospeech.config import Params
from cospeech.harness.workspace import Workspace
from stages import (
    adapt_teacher,
    distill_student,
    encode_latents,
    teacher_targets,
    train_codec,
    train_teacher,
)
from tests.stages import tiny_run
from tests.stages.tiny_project import context_of
from tests.stages.wan.tiny_wan import save_pipelines, wan_params


@pytest.fixture(scope="session")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_pipelines(tmp_path_factory.mktemp("pipelines"))


@pytest.fixture(scope="session")
def params(repository: Path, pipelines: Path) -> Params:
    return wan_params(repository, pipelines)


@pytest.fixture(scope="session")
def encoded(params: Params, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Codec, prompts and latents in place; the embedded models are gone."""
    workspace = tiny_run.make_workspace(tmp_path_factory.mktemp("project"))
    for name in ("codec", "teacher", "student"):
        shutil.rmtree(workspace.model(name))
    for stage in (train_codec, encode_latents):
        stage.run(params, context_of(workspace.root))
    return workspace


@pytest.fixture(scope="session")
def taught(params: Params, encoded: Workspace) -> Workspace:
    for stage in (train_teacher, adapt_teacher, teacher_targets):
        stage.run(params, context_of(encoded.root))
    return encoded


@pytest.fixture(scope="session")
def distilled(params: Params, taught: Workspace) -> Workspace:
    distill_student.run(params, context_of(taught.root))
    return taught
