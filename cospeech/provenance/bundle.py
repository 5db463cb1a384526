"""A signature beside an export's provenance.json, which lists the hash of every file: it vouches for all of them."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from cospeech.harness.files import file_digest, read_json, write_json
from cospeech.provenance.identity import Identity, private_key

RECORD, SIGNATURE = "provenance.json", "provenance.sig.json"
HASHED = (".safetensors", ".json", ".py")
"""Ends of the names of files that the record must list."""


@dataclass(frozen=True)
class Checked:
    """problems: sentences, none if all is well. signer: common name of the certificate that signed."""

    problems: list[str]
    signer: str | None
    claims: Mapping[str, Any]


def sign_bundle(folder: Path, identity: Identity) -> None:
    """Write FOLDER/provenance.sig.json over the bytes of FOLDER/provenance.json."""
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


def read_record(folder: Path) -> dict[str, Any]:
    """What an export says of itself, signed or not.

    Raises:
        ValueError: there is no record.
    """
    record = folder / RECORD
    if not record.is_file():
        raise ValueError(f"{folder}: no {RECORD}, so this is no export")
    return read_json(record)


def check_bundle(folder: Path) -> Checked:
    """Whether the signature fits the record and the record fits the files.

    Raises:
        ValueError: there is no record at all.
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
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in HASHED}
    problems += [f"{name}: not in {RECORD}" for name in sorted(there - set(listed) - {RECORD, SIGNATURE})]
    return Checked(problems, signer, claims)


def _check_signature(folder: Path) -> tuple[str | None, list[str]]:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    path = folder / SIGNATURE
    if not path.is_file():
        return None, [f"{SIGNATURE}: missing, so nobody vouches for {RECORD}"]
    try:
        saved = read_json(path)
        chain = x509.load_pem_x509_certificates(saved["certificates"].encode())
        for certificate, issuer in pairwise(chain):
            certificate.verify_directly_issued_by(issuer)
        _verify(chain[0].public_key(), base64.b64decode(saved["signature"]), (folder / RECORD).read_bytes())
    except InvalidSignature:
        return None, [f"{RECORD}: changed since it was signed"]
    except (ValueError, KeyError, TypeError) as error:
        return None, [f"{SIGNATURE}: not a signature ({error})"]
    names = chain[0].subject.get_attributes_for_oid(x509.oid.NameOID.COMMON_NAME)
    return str(names[0].value) if names else chain[0].subject.rfc4514_string(), []


def _sign(key: Any, data: bytes) -> bytes:
    return bytes(key.sign(data, *_scheme(key)))


def _verify(key: Any, signature: bytes, data: bytes) -> None:
    key.verify(signature, data, *_scheme(key))


def _scheme(key: Any) -> tuple[Any, ...]:
    """What sign and verify take beside the data, by the kind of key."""
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256, SHA384

    if isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        return padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size), SHA256()
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return (ec.ECDSA(SHA384() if key.curve.name == "secp384r1" else SHA256()),)
    return ()
