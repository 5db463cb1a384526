"""New footage out of an inbox: a folder or a real S3 bucket, interrupted and continued."""

from pathlib import Path

import pytest

from cospeech.footage.manifest import ManifestRow, parse_manifest
from cospeech.footage.pull import pull
from cospeech.footage.storage import Storage, StorageError
from tests.helpers.s3 import S3Server

HEADER = "uri,speaker,licence,consent,alignment\n"


def fill(inbox: Path, *names: str) -> None:
    (inbox / "june").mkdir(parents=True, exist_ok=True)
    for name in names:
        (inbox / name).write_text(f"video {name}")
    (inbox / "words.json").write_text("{}")
    rows = [
        f'"{name}",ann,CC0-1.0,"yes, signed",{"words.json" if index == 0 else ""}\n' for index, name in enumerate(names)
    ]
    (inbox / "manifest.csv").write_text(HEADER + "".join(rows))


def rows(folder: Path) -> list[ManifestRow]:
    return parse_manifest((folder / "manifest.csv").read_text(encoding="utf-8"), "manifest")


@pytest.fixture(params=["folder", "s3"])
def inbox(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str, Storage]:
    """(the folder behind it, its address, how to reach it)."""
    if request.param == "folder":
        return tmp_path / "inbox", str(tmp_path / "inbox"), Storage(None)
    server: S3Server = request.getfixturevalue("s3_server")
    return server.bucket("takes") / "new", "s3://takes/new", Storage(server.endpoint)


def test_only_what_is_new_is_brought(inbox: tuple[Path, str, Storage], tmp_path: Path) -> None:
    there, address, storage = inbox
    own = tmp_path / "footage"
    fill(there, "june/a.mp4", "june/b é.mp4")
    pulled = pull(address, own, storage)
    assert (pulled.new, pulled.known, pulled.failed) == (["june/a.mp4", "june/b é.mp4"], [], {})
    assert (own / "june/b é.mp4").read_text() == "video june/b é.mp4"
    first = rows(own)[0]
    assert (first.consent, first.alignment) == ("yes, signed", "words.json")
    assert (own / "words.json").is_file()
    (own / "june/a.mp4").write_text("edited here")
    fill(there, "june/a.mp4", "june/b é.mp4", "june/c.mp4")
    (there / "june/b é.mp4").unlink()
    pulled = pull(f"{address}/manifest.csv", own, storage)
    assert (pulled.new, pulled.known) == (["june/c.mp4"], ["june/a.mp4", "june/b é.mp4"])
    assert (own / "june/a.mp4").read_text() == "edited here"
    assert [row.uri for row in rows(own)] == ["june/a.mp4", "june/b é.mp4", "june/c.mp4"]


def test_what_cannot_be_fetched_is_told_and_tried_again(inbox: tuple[Path, str, Storage], tmp_path: Path) -> None:
    there, address, storage = inbox
    own = tmp_path / "footage"
    fill(there, "june/a.mp4", "june/b.mp4")
    (there / "june/a.mp4").unlink()
    pulled = pull(address, own, storage)
    assert pulled.new == ["june/b.mp4"]
    assert "no such" in pulled.failed["june/a.mp4"]
    assert "1 new videos, 0 known, 1 failed; june/a.mp4" in pulled.sentence
    assert [row.uri for row in rows(own)] == ["june/b.mp4"]
    assert not list(own.rglob(".*"))
    (there / "june/a.mp4").write_text("late")
    assert pull(address, own, storage).new == ["june/a.mp4"]


def offer(inbox: Path, *pairs: tuple[str, str]) -> None:
    """A manifest of (uri, alignment)."""
    inbox.mkdir(exist_ok=True)
    (inbox / "manifest.csv").write_text(HEADER + "".join(f"{uri},ann,l,c,{words}\n" for uri, words in pairs))


def test_nothing_from_outside_the_inbox_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    secret, inbox, own = tmp_path / "secret.mp4", tmp_path / "inbox", tmp_path / "deep/footage"
    secret.write_text("x")
    (tmp_path / "secret.json").write_text("{}")
    fill(inbox, "june/a.mp4")
    (inbox / "link.mp4").symlink_to(secret)
    uris = ["../secret.mp4", "june/../../secret.mp4", str(secret), "~/secret.mp4", "link.mp4"]
    offer(inbox, *((uri, "") for uri in uris), ("june/a.mp4", str(tmp_path / "secret.json")))
    assert list(pull(str(inbox), own, Storage(None)).failed) == [*uris, "june/a.mp4"]
    monkeypatch.chdir(inbox)
    assert list(pull("manifest.csv", own, Storage(None)).failed) == [*uris, "june/a.mp4"]
    assert not own.exists()


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("june/a.mp4", "ann.mp4"),
        ("june/a.mp4", "manifest.csv"),
        ("june/a.mp4", "notes.json"),
        ("june/a.mp4", "june"),
        ("manifest.csv", ""),
        ("params.yaml", ""),
        ("ann.mp4", ""),
    ],
)
def test_nothing_of_the_project_is_overwritten(tmp_path: Path, uri: str, words: str) -> None:
    inbox, own = tmp_path / "inbox", tmp_path / "footage"
    fill(own, "june/ann.mp4")
    for name in ("ann.mp4", "params.yaml", "notes.json"):
        (own / name).write_text("mine")
    fill(inbox, "june/a.mp4", "ann.mp4", "params.yaml")
    (inbox / "notes.json").write_text("theirs")
    offer(inbox, (uri, words))
    before = {path: path.read_text() for path in own.rglob("*.*") if path.is_file()}
    assert list(pull(str(inbox), own, Storage(None)).failed) == [uri]
    assert {path: path.read_text() for path in own.rglob("*.*") if path.is_file()} == before


def test_an_interrupted_pull_is_continued(tmp_path: Path) -> None:
    inbox, own = tmp_path / "inbox", tmp_path / "footage"
    fill(inbox, "june/a.mp4", "june/b.mp4")
    offer(inbox, ("june/a.mp4", "words.json"), ("june/b.mp4", "words.json"))
    (own / "june").mkdir(parents=True)
    (own / "june/a.mp4").write_text("video june/a.mp4")
    assert pull(str(inbox), own, Storage(None)).new == ["june/a.mp4", "june/b.mp4"]


def test_no_manifest_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"manifest.csv: no such file"):
        pull(str(tmp_path / "inbox"), tmp_path / "footage", Storage(None))
    assert not (tmp_path / "footage").exists()
