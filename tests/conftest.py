"""Fixtures for every test: real clips, thread limits, no way out to the network by accident."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# before anything numeric is imported: tests run two at a time on two cores
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import pytest  # noqa: E402
from xdist.scheduler import LoadFileScheduling  # noqa: E402

from flows.process.environment import PRIVATE  # noqa: E402
from tests.helpers.s3 import CREDENTIALS, S3Server, serve_s3  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
os.environ.update(PRIVATE, HF_HUB_OFFLINE="1", PREFECT_HOME=str(ROOT / ".cospeech/tests/prefect"))
(ROOT / ".cospeech/tests").mkdir(parents=True, exist_ok=True)


STORIES = {
    "the whole pipeline": ("tests/e2e/test_pipeline.py",),
    "a Prefect server": tuple(f"tests/flows/test_{name}.py" for name in ["dashboard", "deploy", "observed", "retrain"]),
    "Wan": ("tests/stages/wan",),
}
"""Files that share what is dear to make; one process tests all of a story."""
ORDER = (
    *(place for places in STORIES.values() for place in places),
    "tests/flows",
    "tests/stages",
    "tests/e2e",
    "tests",
)
"""Long files first, so that of two processes that test neither is left alone with one at the end; between the first
story and the files that wait for its run there is enough for the other process."""


SERVERS = {"prefect_server", "s3_server"}
"""Fixtures that start a real server."""
MARKED = {
    "browser": (
        "tests/cospeech/report/test_browser.py",
        "tests/cospeech/serving/test_browser.py",
        "tests/flows/test_dashboard.py",
    ),
    "slow": ("tests/flows", "tests/stages/wan"),
}
"""Marks of whole files and folders; `server` is of every test that uses one of SERVERS."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = [ROOT / name for name in ORDER]
    for item in items:
        marks = [mark for mark, paths in MARKED.items() if any(item.path.is_relative_to(ROOT / path) for path in paths)]
        if SERVERS & set(getattr(item, "fixturenames", ())):
            marks.append("server")
        for mark in marks:
            item.add_marker(mark)
    items.sort(key=lambda item: next(rank for rank, place in enumerate(places) if item.path.is_relative_to(place)))


class ByStory(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return next(
            (name for name, places in STORIES.items() if nodeid.startswith(places)), super()._split_scope(nodeid)
        )


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByStory:
    return ByStory(config, log)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout under test."""
    return ROOT


@pytest.fixture(scope="session")
def media_folder() -> Path:
    """Real footage that is not part of the repository: COSPEECH_TEST_MEDIA, else ../shared/media."""
    folder = Path(os.environ.get("COSPEECH_TEST_MEDIA", ROOT.parent / "shared/media"))
    if not folder.is_dir():
        pytest.skip(f"no real clips at {folder}; COSPEECH_TEST_MEDIA names another folder")
    return folder


@pytest.fixture(scope="session")
def real_clip(media_folder: Path) -> Path:
    """A real clip: 1080x1920, 25 fps, 10 s, speech, one person to the hips."""
    path = media_folder / "woman_terrace_10s.mp4"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    return path


@pytest.fixture(scope="session")
def real_clip_30fps(media_folder: Path) -> Path:
    """A real clip: 1080x1920, 30 fps, 20 s, speech, one person sitting, lively hands."""
    path = media_folder / "man_sofa_20s.mp4"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    return path


@pytest.fixture
def s3_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """Running, with its credentials in the environment."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with serve_s3(tmp_path / "s3") as server:
        yield server
