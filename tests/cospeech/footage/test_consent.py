import pytest

from cospeech.footage.consent import Revocation, load_revocations, revoked, save_revocations


def test_a_revocation_covers_the_name_and_the_bytes(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "revoked.csv"
    assert load_revocations(path) == []
    known = [
        Revocation("ann-1", 'a, "quoted".mp4', "f" * 64, "2026-01-02", "wrote to us"),
        Revocation("", "b", "", "x", ""),
    ]
    save_revocations(path, known)
    assert load_revocations(path) == known
    assert revoked(known, 'a, "quoted".mp4') is known[0]
    assert revoked(known, "renamed.mp4", "f" * 64) is known[0]
    assert revoked(known, "other.mp4", "0" * 64) is None
    assert revoked(known, "other.mp4", "") is None
    assert known[0].sentence == "consent: revoked on 2026-01-02 (wrote to us)"


@pytest.mark.parametrize(
    "text",
    ["", "clip,uri\na,b\n", "clip,uri,sha256,day,reason\nann-1,,,2026-01-02,x\n", "clip,uri,sha256,day,reason\na,b\n"],
)
def test_a_damaged_table_is_an_error_never_consent(tmp_path, text: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "revoked.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"revoked.csv"):
        load_revocations(path)
