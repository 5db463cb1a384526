"""Manifests as people and their programs write them, and file names as disks hold them."""

import os
from pathlib import Path

import pytest

from cospeech.cli import main
from cospeech.footage.listing import list_footage
from cospeech.footage.manifest import ManifestError, parse_manifest
from cospeech.footage.storage import Storage, StorageError

HEADER = "uri,speaker,licence,consent\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('uri,speaker,"licence,consent\na.mp4,a,b,c\n', "line 1: not CSV"),
        (f'{HEADER}a.mp4,a,b,c\nb.mp4,a,"b,c\nc.mp4,a,b,c\nd.mp4,a,b,c\n', "line 3: not CSV"),
        (f'{HEADER}"a\nb.mp4",a,b,c\nb.mp4,a,"b"c,c\n', "line 4: not CSV"),
        ("uri;speaker;licence;consent\na.mp4;a;b;c\n", "use commas"),
        ("uri\tspeaker\tlicence\tconsent\n", "use commas"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        parse_manifest(text, "manifest.csv")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_another_encoding_is_said(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "manifest.csv").write_bytes(
        f"{HEADER}{'Zoë' if encoding == 'latin-1' else 'Zoe'}.mp4,a,b,c\n".encode(encoding)
    )
    (tmp_path / "a.mp4").touch()
    for read in (lambda: list_footage(tmp_path), lambda: Storage(None).read_text(str(tmp_path / "manifest.csv"))):
        with pytest.raises(StorageError, match="write it as UTF-8 with commas"):
            read()


def test_names_are_found_again(tmp_path: Path) -> None:
    names = [" lead.mp4", " ann/b.mp4", "a;b.ts", "c.flv", "d.WMV", "e.3gp", "f.ogv", "g, h.mp4", "new\nline.mp4"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert len(list_footage(tmp_path).added) == len(names)
    rows = parse_manifest((tmp_path / "manifest.csv").read_text(encoding="utf-8"), "manifest")
    assert {Path(Storage(None).join(str(tmp_path), row.uri)) for row in rows} == {tmp_path / name for name in names}
    assert all(row.speaker for row in rows)
    assert list_footage(tmp_path).added == []


def test_a_name_that_is_no_text_is_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / os.fsdecode(b"x\xff.mp4")).touch()
    assert main(["manifest", str(tmp_path)]) == 0
    assert "skipped b'x\\xff.mp4'" in capsys.readouterr().out
    assert list_footage(tmp_path).kept == 1
