"""Sign and verify an export: a signature over provenance.json, which lists the hash of every file."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import cast

from cospeech.harness.files import file_digest, read_json, write_json
from cospeech.provenance.identity import Identity, SigningKey, VerifyingKey, private_key
from cospeech.utils.json_types import JSONObject, JSONValue

RECORD, SIGNATURE = "provenance.json", "provenance.sig.json"
HASHED = (".safetensors", ".json", ".py")
"""Suffixes of the files that the record must list."""


@dataclass(frozen=True)
class BundleCheck:
    """The result of verifying an export.

    problems: sentences; empty if the export is intact. signer: common name of the signing certificate; None if the
    signature is absent or invalid. claims: the record.
    """

    problems: list[str]
    signer: str | None
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
    return read_json(record)


def check_bundle(folder: Path) -> BundleCheck:
    """Verify the signature of the record, and the hashes of the files that it lists.

    Raises:
        ValueError: the folder has no record.
    """
    claims = read_record(folder)
    signer, problems = _check_signature(folder)
    listed = claims["files"]
    for name, digest in listed.items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{name}: missing")
        elif file_digest(path) != digest:
            problems.append(f"{name}: changed since it was signed")
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in HASHED}
    problems += [f"{name}: not listed in {RECORD}" for name in sorted(present - set(listed) - {RECORD, SIGNATURE})]
    return BundleCheck(problems, signer, claims)


def _check_signature(folder: Path) -> tuple[str | None, list[str]]:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

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
    except (ValueError, KeyError, TypeError) as error:
        return None, [f"{SIGNATURE}: not a valid signature file ({error})"]
    names = chain[0].subject.get_attributes_for_oid(x509.oid.NameOID.COMMON_NAME)
    return str(names[0].value) if names else chain[0].subject.rfc4514_string(), []


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
