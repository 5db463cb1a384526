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


def test_an_inbox_cannot_write_outside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.mp4").write_text("x")
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    uris = ("../secret.mp4", str(tmp_path / "secret.mp4"))
    (inbox / "manifest.csv").write_text(HEADER + "".join(f"{uri},ann,l,c,\n" for uri in uris))
    own = tmp_path / "deep/footage"
    pull(str(inbox), own, Storage(None))
    assert {path.name for path in tmp_path.iterdir()} == {"secret.mp4", "inbox", "deep"}
    assert all((own / row.uri).resolve().is_relative_to(own) for row in rows(own))


def test_no_manifest_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"manifest.csv: no such file"):
        pull(str(tmp_path / "inbox"), tmp_path / "footage", Storage(None))
    assert not (tmp_path / "footage").exists()
