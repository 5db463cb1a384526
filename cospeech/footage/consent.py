"""Check the consent and the licence that a manifest states; read and write the table of revoked consent."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from cospeech.harness.files import atomic_path

CONSENT_FORMS = ("yes", "given", "given in writing", "granted", "signed", "written", "in writing")
"""Accepted as consent: alone, with a date ("signed 2026-01-02") or a note ("yes: form 12", "yes, signed")."""
NOT_NEEDED = "not needed"
"""A further accepted statement; a note must give the reason."""
LICENCE_FORMS = (
    r"cc0|cc[- ]by|public domain|mit\b|0bsd|bsd|apache|isc\b|[al]?gpl|mpl|epl|eupl|odbl|odc-by|pddl|cdla|unlicense",
    r"own\b|proprietary\b|contract\b|commissioned\b|licenseref-\w|https?://\w",
)
"""Accepted beginnings of a licence: a known licence, the owner of the footage, or the address of the terms."""
_DOUBT = r"\b(but|except|until|unless|withdrawn|revoked|refused|denied|pending|expired|unknown|todo|tbd)\b|\?(?!\w)"
_DATE = r"\d{4}-\d{2}-\d{2}"
_CONSENT = re.compile(
    rf"({'|'.join((*CONSENT_FORMS, NOT_NEEDED))})(?:\s*[:,;(]\s*(.*)|\s+{_DATE})?", re.IGNORECASE | re.DOTALL
)
_LICENCE = re.compile("|".join(LICENCE_FORMS), re.IGNORECASE)


def consent_reasons(consent: str | None, licence: str | None) -> list[str]:
    """Return the reasons that consent and licence give for refusing a clip; an unknown form counts as not stated."""
    reasons = []
    said, terms = (consent or "").strip(), (licence or "").strip()
    if not _consents(said):
        reasons.append(
            f"consent: the manifest's column consent says {said or 'nothing'!r}; it must be one of "
            f"{', '.join(CONSENT_FORMS)}, or {NOT_NEEDED}: REASON"
        )
    if not _LICENCE.match(terms) or re.search(_DOUBT, terms, re.IGNORECASE):
        reasons.append(
            f"licence: the manifest's column licence says {terms or 'nothing'!r}; name one, such as CC0-1.0, "
            "CC-BY-4.0, own, contract: WHICH, LicenseRef-NAME or the address of the terms"
        )
    return reasons


def _consents(said: str) -> bool:
    found = _CONSENT.fullmatch(said)
    if not found or re.search(_DOUBT, said, re.IGNORECASE):
        return False
    return found[1].lower() != NOT_NEEDED or bool((found[2] or "").strip())


@dataclass(frozen=True)
class Revocation:
    """A revoked consent. clip, uri: as in the ledger. sha256: of the source; empty if never read. day: ISO date.

    Raises:
        ValueError: `sha256` is not a SHA-256, or `sha256` and `uri` are both empty.
    """

    clip: str
    uri: str
    sha256: str
    day: str
    reason: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"([0-9a-f]{64})?", self.sha256):
            raise ValueError(f"sha256 is {self.sha256!r}; it must be 64 digits of 0-9 and a-f, or empty")
        if not (self.uri or self.sha256):
            raise ValueError("uri and sha256 are both empty; fill in at least one")

    @property
    def sentence(self) -> str:
        """The reason for the ledger."""
        return f"consent: revoked on {self.day}" + (f" ({self.reason})" if self.reason else "")


COLUMNS = tuple(field.name for field in fields(Revocation))


def load_revocations(path: Path) -> list[Revocation]:
    """Load the table; an absent file gives an empty list.

    Raises:
        ValueError: the file is not a valid table; consent is never guessed.
    """
    if not path.is_file():
        return []
    revocations, line = [], 1
    try:
        reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")), strict=True)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(f"columns are {reader.fieldnames}; they must be {','.join(COLUMNS)}")
        line = reader.line_num + 1
        for row in reader:
            if None in row or None in row.values():
                raise ValueError(f"incomplete row; the columns are {','.join(COLUMNS)}")
            revocations.append(Revocation(**row))
            line = reader.line_num + 1
    except (csv.Error, ValueError) as error:
        raise ValueError(f"{path}, line {line}: {error}") from error
    return revocations


def save_revocations(path: Path, revocations: Sequence[Revocation]) -> None:
    """Write the table, replacing the file."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(each) for each in revocations)
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def find_revocation(revocations: Sequence[Revocation], uri: str, sha256: str = "") -> Revocation | None:
    """Return the revocation that covers a source (the same uri, or the same bytes under any name), or None."""
    found = (each for each in revocations if each.uri == uri or (sha256 and each.sha256 == sha256))
    return next(found, None)
