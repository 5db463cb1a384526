"""Who may be picked, and what is kept of those who are brought."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cospeech.footage.consent import Revocation
from cospeech.harness.files import file_digest
from cospeech.media import save_png, write_video
from cospeech.serving.gallery import Gallery
from cospeech.serving.limits import Limits
from cospeech.serving.portraits import Portrait, load_portraits
from cospeech.serving.server import find_person_in
from tests.cospeech.serving.scene import LIMITS, PICTURE, find, png

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_png(tmp_path / "zoe.png", np.full((32, 32, 3), 90, np.uint8))
    rows = ["uri,speaker,licence,consent"]
    for number, name in enumerate(("ann-1", "ann-2", "bob-1")):
        write_video(tmp_path / f"{name}.mp4", np.full((3, 32, 32, 3), 50 + number, np.uint8), 25)
        rows.append(f"{name}.mp4,{name[:3]},CC0-1.0,written")
    rows.append("gone.mp4,eve,CC0-1.0,written")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    return tmp_path


def revocation(uri: str, sha256: str = "") -> Revocation:
    return Revocation("", uri, sha256, "2026-01-01", "")


def test_pictures_and_one_frame_a_speaker(folder: Path) -> None:
    people = load_portraits(folder, [])
    assert [person.name for person in people] == ["ann", "bob", "zoe"]
    assert all(person.picture.startswith(b"\x89PNG") for person in people)


def test_consent_taken_back_is_no_offer(folder: Path) -> None:
    gone = [revocation("bob-1.mp4"), revocation("elsewhere", file_digest(folder / "zoe.png")), revocation("ann-1.mp4")]
    assert [person.name for person in load_portraits(folder, gone)] == ["ann"]  # by another clip


@pytest.mark.parametrize(
    ("consent", "licence"), [("withdrawn", "CC0-1.0"), ("?", "CC0-1.0"), ("yes", "unknown"), ("", "")]
)
def test_what_curation_would_refuse_is_no_offer(folder: Path, consent: str, licence: str) -> None:
    rows = ["uri,speaker,licence,consent", f"ann-1.mp4,ann,{licence},{consent}", f"zoe.png,zoe,{licence},{consent}"]
    (folder / "manifest.csv").write_text("\n".join([*rows, "bob-1.mp4,bob,CC0-1.0,yes"]))
    assert [person.name for person in load_portraits(folder, [])] == ["bob"]


def test_nobody_to_offer(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="none: "):
        load_portraits(tmp_path / "none", [])
    with pytest.raises(ValueError, match=r"manifest\.csv"):
        load_portraits(tmp_path, [])


async def test_a_person_is_looked_for_once() -> None:
    looked = []

    def counting(picture: bytes) -> str:
        looked.append(picture)
        return "person"

    gallery = Gallery([Portrait("ann", PICTURE)], counting, LIMITS)
    assert [await gallery.person("0") for _ in range(3)] == ["person"] * 3
    key = await gallery.add(PICTURE)
    assert await gallery.person(key) == "person"
    assert len(looked) == 2


async def test_what_is_brought_is_kept_for_a_while_and_bounded() -> None:
    now = [0.0]
    gallery = Gallery([], find, replace(LIMITS, people=2, people_seconds=60), lambda: now[0])
    first = await gallery.add(PICTURE)
    now[0] = 10
    others = [await gallery.add(PICTURE) for _ in range(2)]
    assert len({first, *others}) == 3
    with pytest.raises(ValueError, match="1 minutes"):
        await gallery.person(first)  # the oldest went
    await gallery.person(others[1])
    now[0] = 71
    with pytest.raises(ValueError, match="1 minutes"):
        await gallery.person(others[1])


def test_what_is_wrong_with_a_picture_is_said() -> None:
    for data, message in (
        (b"nothing", "^the picture: "),
        (png(np.zeros((64, 64, 3), np.uint8)), "^the picture: 64 x 64 pixels"),
        (png(np.full((300, 300, 3), 90, np.uint8)), "^the picture: .*face"),
        (png(np.zeros((800, 800), np.uint8)), r"^the picture: 800 x 800 pixels, 0\.64 million; at most 0\.5 million"),
    ):
        with pytest.raises(ValueError, match=message):
            find_person_in(data, LIMITS)
    with pytest.raises(ValueError, match="within 0 s"):
        find_person_in(PICTURE, replace(LIMITS, picture_seconds=0))


def test_a_person_of_the_corpus_is_found(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pictures that this process, where talks are drawn, does not decode."""
    offered = next(each.picture for each in load_portraits(repository / "data/demo", []))
    monkeypatch.setattr("PIL.Image.open", lambda *_, **__: pytest.fail("decoded where talks are drawn"))
    person = find_person_in(offered, Limits())
    assert person.picture.shape == (256, 256, 3)
    assert person.confidence.mean() > 0.5
