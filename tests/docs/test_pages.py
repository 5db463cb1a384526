"""The front door: README and its siblings say what is there. `make docs` checks the links inside docs/."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import cospeech

PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "deploy/README.md"]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(repository: Path, page: str) -> None:
    path = repository / page
    links = re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


def test_readme_is_short_and_names_every_room(repository: Path) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 80
    words = set(re.findall(r"[a-z_]+", readme[readme.index("## Where to read on") :]))
    rooms = {path.parent.name for path in (repository / "cospeech").glob("*/__init__.py")}
    assert rooms - words == set()


def test_every_decision_has_one_row_in_the_index(repository: Path) -> None:
    folder = repository / "docs/decisions"
    rows = re.findall(r"^\| \[(\d+)\]\((\1-[a-z0-9-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"), re.M)
    assert [name for _, name in rows] == sorted(path.name for path in folder.glob("[0-9]*.md"))


def test_one_version_everywhere(repository: Path) -> None:
    citation = yaml.safe_load((repository / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == cospeech.__version__
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "cospeech.__version__"}
