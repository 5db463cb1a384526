"""Sign and verify an export: a signature over provenance.json, which lists the hash of every file."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import cast

from cospeech.harness.files import file_digest, read_json, write_json
from cospeech.provenance.identity import Identity, Signer, SigningKey, VerifyingKey, private_key
from cospeech.utils.json_types import JSONObject, JSONValue

RECORD, SIGNATURE = "provenance.json", "provenance.sig.json"
KINDS = (".json", ".md", ".py", ".safetensors")
"""Suffixes of the files of an export. Python would run bytecode or a shared object in place of the signed source."""


@dataclass(frozen=True)
class BundleCheck:
    """The result of verifying an export.

    problems: sentences; empty if the export is intact. signer: None if the signature is absent or invalid. claims: the
    record.
    """

    problems: list[str]
    signer: Signer | None
    claims: Mapping[str, JSONValue]


def sign_bundle(folder: Path, identity: Identity) -> None:
    """Sign the bytes of FOLDER/provenance.json and write FOLDER/provenance.sig.json."""
    record = folder / RECORD
    signature = _sign(private_key(identity), record.read_bytes())
    write_json(
        folder / SIGNATURE,
        {
            "algorithm": identity.algorithm,
            "signed": RECORD,
            "signature": base64.b64encode(signature).decode(),
            "certificates": identity.certificates.decode("ascii"),
        },
    )


def read_record(folder: Path) -> JSONObject:
    """Read an export's provenance.json, without verifying it.

    Raises:
        ValueError: the folder has none.
    """
    record = folder / RECORD
    if not record.is_file():
        raise ValueError(f"{folder}: not an export, {RECORD} is missing")
    claims = read_json(record)
    if not isinstance(claims, dict):
        raise ValueError(f"{folder}: not an export, {RECORD} is not a JSON object")
    return claims


def _listed(folder: Path) -> dict[str, str]:
    """Return name -> SHA-256 of the files that the record lists."""
    listed = read_record(folder).get("files")
    if not isinstance(listed, dict):
        raise ValueError(f"{folder}: not an export, {RECORD} lists no files")
    return listed


def check_bundle(folder: Path) -> BundleCheck:
    """Verify the signature of the record, and that the folder holds the files that it lists and nothing else.

    Raises:
        ValueError: the folder has no record.
    """
    claims = read_record(folder)
    signer, problems = _check_signature(folder)
    return BundleCheck([*problems, *check_files(folder)], signer, claims)


def check_files(folder: Path) -> list[str]:
    """Return how the folder differs from the files that its record lists, one sentence each.

    Raises:
        ValueError: the folder has no record.
    """
    listed = _listed(folder)
    there = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
    found = [(name, _problem(name, there.get(name), listed)) for name in dict.fromkeys([*listed, *there])]
    return [f"{name}: {problem}" for name, problem in found if problem]


def listed_files(folder: Path) -> list[str]:
    """Return the names of the record's files, after checking each; other files in the folder are ignored.

    Raises:
        ValueError: there is no record, or a file is missing, has changed, or is of a kind that exports do not have.
    """
    listed, inside = _listed(folder), folder.resolve()
    for name in listed:
        path = folder / name
        problem = _problem(name, path if path.resolve() == inside / name and path.exists() else None, listed)
        if problem:
            raise ValueError(f"{folder}: {name}: {problem}; export the model again (dvc repro export)")
    return list(listed)


def _problem(name: str, path: Path | None, listed: Mapping[str, str]) -> str | None:
    """Return what is wrong with a file, or None. path: None if it is missing."""
    if path is None:
        return "missing"
    if path.is_symlink():
        return "a link, which exports do not have"
    if name in (RECORD, SIGNATURE) or (path.is_dir() and name not in listed):
        return None
    if not path.is_file() or path.suffix not in KINDS:
        return f"not of a kind that exports have ({', '.join(KINDS)})"
    if name not in listed:
        return f"not listed in {RECORD}"
    return None if file_digest(path) == listed[name] else "changed since it was signed"


def _check_signature(folder: Path) -> tuple[Signer | None, list[str]]:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    path = folder / SIGNATURE
    if not path.is_file():
        return None, [f"{SIGNATURE}: missing, so {RECORD} is not signed"]
    try:
        saved = read_json(path)
        chain = x509.load_pem_x509_certificates(saved["certificates"].encode())
        for certificate, issuer in pairwise(chain):
            certificate.verify_directly_issued_by(issuer)
        _verify(
            cast("VerifyingKey", chain[0].public_key()),
            base64.b64decode(saved["signature"]),
            (folder / RECORD).read_bytes(),
        )
    except InvalidSignature:
        return None, [f"{RECORD}: changed since it was signed"]
    except (ValueError, KeyError, TypeError, AttributeError, UnsupportedAlgorithm) as error:
        return None, [f"{SIGNATURE}: not a valid signature file ({error})"]
    return Signer.of(chain[0]), []


def _sign(key: SigningKey, data: bytes) -> bytes:
    return bytes(key.sign(data, *_scheme(key)))


def _verify(key: VerifyingKey, signature: bytes, data: bytes) -> None:
    key.verify(signature, data, *_scheme(key))


def _scheme(key: object) -> tuple[object, ...]:
    """Return the further arguments of sign and verify for this kind of key."""
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256, SHA384

    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size), SHA256()
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return (ec.ECDSA(SHA384() if key.curve.name == "secp384r1" else SHA256()),)
    return ()
