from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cospeech.artifacts import AudioFeatures, Curated, Latents, Ledger, Targets, Words
from cospeech.artifacts.tables import CURATED_COLUMNS, LEDGER_COLUMNS
from cospeech.artifacts.tensors import save_arrays
from cospeech.harness.files import file_digest


@pytest.mark.parametrize("learned", [None, np.ones((5, 16), np.float32)])
def test_audio_round_trip(tmp_path: Path, learned: np.ndarray | None) -> None:
    saved = AudioFeatures(np.zeros((5, 4, 80), np.float32), np.ones(5, np.float32), learned)
    saved.save(tmp_path / "a.safetensors")
    loaded = AudioFeatures.load(tmp_path / "a.safetensors")
    assert (loaded.learned is None) == (learned is None)
    assert loaded.mel.shape == (5, 4, 80)


def test_equal_latents_have_equal_bytes(tmp_path: Path) -> None:
    for name in "ab":
        Latents(np.ones((3, 2, 4, 4)), np.zeros((3, 5, 4, 4))).save(tmp_path / name)
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b")


def test_latents_and_targets_round_trip(tmp_path: Path) -> None:
    Latents(np.ones((3, 2, 4, 4)), np.zeros((3, 5, 4, 4))).save(tmp_path / "l.safetensors")
    assert Latents.load(tmp_path / "l.safetensors").pose.dtype == np.float16
    states = np.random.default_rng(0).normal(size=(3, 2, 4, 5, 5))
    Targets("clip-1", np.arange(7, 11), 2, np.array([1, 0.5, 0]), states).save(tmp_path / "t.safetensors")
    loaded = Targets.load(tmp_path / "t.safetensors")
    assert (loaded.clip, loaded.reference, loaded.frames.tolist()) == ("clip-1", 2, [7, 8, 9, 10])
    np.testing.assert_allclose(loaded.states, states, atol=2e-3)


def test_absent_damaged_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none\.safetensors"):
        Latents.load(tmp_path / "none.safetensors")
    path = tmp_path / "half.safetensors"
    Latents(np.ones((50, 8, 8, 8)), np.ones((50, 8, 8, 8))).save(path)
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(ValueError, match=r"half\.safetensors"):
        Latents.load(path)
    AudioFeatures(np.zeros((5, 4, 80)), np.ones(5), None).save(tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match=r"audio version \d.*latents version \d"):
        Latents.load(tmp_path / "other.safetensors")
    save_arrays(tmp_path / "old.safetensors", "latents", 0, {"latents": np.zeros(1)})
    with pytest.raises(ValueError, match="version 0"):
        Latents.load(tmp_path / "old.safetensors")


def row(clip: str, **values: object) -> dict[str, object]:
    return {**dict.fromkeys(LEDGER_COLUMNS), "clip": clip, "status": "ok", **values}


def test_ledger_keeps_order_and_nulls(tmp_path: Path) -> None:
    rows = [row("b", frames=100, split="test"), row("a", status="refused", reason="no such file"), row("c")]
    Ledger(pd.DataFrame(rows)).save(tmp_path / "clips.parquet")
    ledger = Ledger.load(tmp_path / "clips.parquet")
    assert ledger.table["clip"].tolist() == ["b", "a", "c"]
    assert ledger.usable == ["b", "c"]
    assert ledger.table["split"].isna().tolist() == [False, True, True]
    assert ledger.table["frames"].tolist()[0] == 100


def test_curated_tells_splits_and_speakers(tmp_path: Path) -> None:
    verdict = {"reasons": "[]", "av_offset": 0.0}
    rows = [
        {**row("a", speaker="ann", split="train"), "kept": True, **verdict, "face": 0.9},
        {**row("b", speaker="ann", split="test"), "kept": True, **verdict, "face": 0.8},
        {**row("c", speaker="bob", split="train"), "kept": False, **verdict, "face": 0.1},
    ]
    Curated(pd.DataFrame(rows)).save(tmp_path / "curated.parquet")
    curated = Curated.load(tmp_path / "curated.parquet")
    assert curated.clips("train") == ["a"]
    assert curated.clips("test") == ["b"]
    assert curated.seen_speakers() == {"ann"}
    assert curated.speaker("c") == "bob"
    assert list(curated.table.columns) == [*CURATED_COLUMNS, "face"]


def test_a_table_without_a_column_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"clip": ["a"]}).to_parquet(tmp_path / "words.parquet")
    with pytest.raises(ValueError, match=r"words\.parquet: .*kind"):
        Words.load(tmp_path / "words.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(ValueError, match=r"bad\.parquet"):
        Words.load(tmp_path / "bad.parquet")
