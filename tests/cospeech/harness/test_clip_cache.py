from pathlib import Path

import pytest

from cospeech.harness.clip_cache import ClipStore


@pytest.fixture
def store(tmp_path: Path) -> ClipStore:
    return ClipStore(tmp_path / "store", "extract_poses", "salt")


def put(store: ClipStore, tmp_path: Path, key: str, content: str = "pose") -> None:
    source = tmp_path / "source.bin"
    source.write_text(content)
    store.put(key, {"poses": source})


def test_what_was_put_comes_back(store: ClipStore, tmp_path: Path) -> None:
    key = store.key("clip digest")
    target = tmp_path / "out" / "clip.bin"
    assert not store.fetch(key, {"poses": target})
    put(store, tmp_path, key)
    assert store.fetch(key, {"poses": target})
    assert target.read_text() == "pose"


def test_key_depends_on_stage_salt_and_clip(store: ClipStore) -> None:
    others = [ClipStore(store.root, "curate", "salt"), ClipStore(store.root, "extract_poses", "other params")]
    keys = {store.key("a"), store.key("b"), *(other.key("a") for other in others)}
    assert len(keys) == 4


@pytest.mark.parametrize("damage", ["change", "delete", "index"])
def test_a_damaged_entry_counts_as_absent(store: ClipStore, tmp_path: Path, damage: str) -> None:
    key = store.key("clip")
    put(store, tmp_path, key)
    stored = store.entry(key) / "poses"
    if damage == "change":
        stored.write_text("posf")
    elif damage == "delete":
        stored.unlink()
    else:
        (store.entry(key) / "index.json").unlink()
    assert not store.fetch(key, {"poses": tmp_path / "out.bin"})
    put(store, tmp_path, key)
    assert store.fetch(key, {"poses": tmp_path / "out.bin"})


def test_an_entry_with_other_files_counts_as_absent(store: ClipStore, tmp_path: Path) -> None:
    key = store.key("clip")
    put(store, tmp_path, key)
    assert not store.fetch(key, {"poses": tmp_path / "a", "words": tmp_path / "b"})
