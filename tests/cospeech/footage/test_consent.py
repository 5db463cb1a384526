import pytest

from cospeech.footage.consent import Revocation, consent_reasons, find_revocation, load_revocations, save_revocations


def test_a_revocation_covers_the_name_and_the_bytes(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "revoked.csv"
    assert load_revocations(path) == []
    known = [
        Revocation("ann-1", 'a, "quoted".mp4', "f" * 64, "2026-01-02", "wrote to us"),
        Revocation("", "b", "", "x", ""),
    ]
    save_revocations(path, known)
    assert load_revocations(path) == known
    assert find_revocation(known, 'a, "quoted".mp4') is known[0]
    assert find_revocation(known, "renamed.mp4", "f" * 64) is known[0]
    assert find_revocation(known, "other.mp4", "0" * 64) is None
    assert find_revocation(known, "other.mp4", "") is None
    assert known[0].sentence == "consent: revoked on 2026-01-02 (wrote to us)"


@pytest.mark.parametrize("digest", ["nan", "None", "<NA>", "F" * 64, "f" * 63])
def test_a_hash_that_is_none_is_an_error(tmp_path, digest: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="sha256 is"):
        Revocation("ann-1", "a.mp4", digest, "2026-01-02", "")
    path = tmp_path / "revoked.csv"
    path.write_text(f"clip,uri,sha256,day,reason\nok,b.mp4,,2026-01-02,x\nann-1,a.mp4,{digest},2026-01-02,x\n")
    with pytest.raises(ValueError, match=r"revoked.csv, line 3: sha256 is"):
        load_revocations(path)


@pytest.mark.parametrize(
    "text",
    ["", "clip,uri\na,b\n", "clip,uri,sha256,day,reason\nann-1,,,2026-01-02,x\n", "clip,uri,sha256,day,reason\na,b\n"],
)
def test_a_damaged_table_is_an_error_never_consent(tmp_path, text: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "revoked.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"revoked.csv, line \d"):
        load_revocations(path)


@pytest.mark.parametrize("data", [b'clip,uri,sha256,day,reason\na,b,,c,d\na,"b,,c,d\n', b"clip\xff"])
def test_a_broken_table_is_named(tmp_path, data: bytes) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "revoked.csv"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"revoked.csv, line [13]: "):
        load_revocations(path)


def refused(consent: str | None, licence: str | None) -> list[str]:
    return [reason.split(":")[0] for reason in consent_reasons(consent, licence)]


@pytest.mark.parametrize(
    "consent",
    [
        *("yes", "Yes", "given in writing", "written", "yes, signed", "signed (2026-01-02)", "granted: form 12"),
        "signed 2026-01-02",
        *("not needed: synthetic person, portrays nobody", "not needed: no person is shown"),
    ],
)
def test_consent_in_a_stated_form(consent: str) -> None:
    assert refused(consent, "CC0-1.0") == []


@pytest.mark.parametrize(
    "consent",
    [
        *(None, "", " ", "no", "none", "nan", "withdrawn", "pending", "n", "N/A", "?", "TODO", "nein", "false", "0"),
        *(
            "yes?",
            "yes, but withdrawn in May",
            "signed: pending",
            "signed 2026",
            "not needed 2026-01-02",
            "not given",
            "not needed",
            "not needed: ",
            "yesterday",
        ),
        *("yes no", "unsigned", "given until 2025", "refused"),
    ],
)
def test_anything_else_is_no_consent(consent: str | None) -> None:
    assert refused(consent, "CC0-1.0") == ["consent"]


def test_licences() -> None:
    good = (
        *("CC0-1.0", "CC BY 4.0", "cc-by-nc-4.0", "MIT", "own", "own footage", "contract: 12/3", "LicenseRef-Studio"),
    )
    assert [licence for licence in (*good, "https://a.example/terms") if refused("yes", licence)] == []
    bad = (
        None,
        "",
        " ",
        "no",
        "none",
        "unknown",
        "nan",
        "?",
        "TODO",
        "n/a",
        "pending",
        "CC0-1.0?",
        "MIT, pending",
        "l",
    )
    assert [licence for licence in bad if refused("yes", licence) != ["licence"]] == []
