"""Load or create the signing key and its certificates."""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from cospeech.harness.files import atomic_path

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.x509 import Certificate

KEY, CERTIFICATES = "key.pem", "certificates.pem"
_DAY = datetime.timedelta(days=1)
_YEARS = 10
_OWNER = "cospeech project"


class SigningKey(Protocol):
    @property
    def sign(self) -> Callable[..., bytes]:
        """Of the data and what the kind of key needs besides."""


class VerifyingKey(Protocol):
    @property
    def verify(self) -> Callable[..., None]:
        """Of the signature, the data and what the kind of key needs besides."""


@dataclass(frozen=True)
class Identity:
    """A signing key and its certificates.

    key: PEM, unencrypted. certificates: PEM, the key's own first, then its issuers. own: the project created the pair
    itself, so a verifier can detect changes but cannot tell who signed.
    """

    key: bytes
    certificates: bytes
    own: bool

    @property
    def algorithm(self) -> str:
        """C2PA's name for signatures by this key.

        Raises:
            ValueError: C2PA does not support this kind of key.
        """
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

        key = private_key(self)
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return "ed25519"
        if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
            return _CURVES[key.curve.name]
        if isinstance(key, rsa.RSAPrivateKey):
            return "ps256"
        raise ValueError(f"provenance.key is a {type(key).__name__}; use Ed25519, ECDSA (P-256, P-384) or RSA")


@dataclass(frozen=True)
class Signer:
    """The certificate that signed.

    name: as the certificate states; anybody can make one with any name. fingerprint: SHA-256 of the certificate, 64 hex
    digits; nobody else can sign with it.
    """

    name: str
    fingerprint: str

    @classmethod
    def of(cls, certificate: "Certificate") -> "Signer":
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.x509.oid import NameOID

        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        name = str(names[0].value) if names else certificate.subject.rfc4514_string()
        return cls(name, certificate.fingerprint(SHA256()).hex())

    def __str__(self) -> str:
        if self.name.startswith(_OWNER):
            return f"a project's own key, which does not prove who signed (fingerprint {self.fingerprint})"
        return f"a certificate named {self.name!r} (fingerprint {self.fingerprint})"


_CURVES = {"secp256r1": "es256", "secp384r1": "es384"}


def load_identity(folder: Path, key: Path | None, certificates: Path | None) -> Identity:
    """Load the configured identity, or the project's own from `folder`, which is created if it does not exist.

    Raises:
        ValueError: only one of `key` and `certificates` is given, or a file is absent or damaged.
    """
    if (key is None) != (certificates is None):
        raise ValueError("provenance.key and provenance.certificates: set both, or neither (null)")
    if key is not None and certificates is not None:
        found = Identity(_read(key, "provenance.key"), _read(certificates, "provenance.certificates"), own=False)
        private_key(found)
        return found
    if not folder.is_dir():
        _make(folder)
    return Identity(_read(folder / KEY, "signing key"), _read(folder / CERTIFICATES, "certificates"), own=True)


def private_key(identity: Identity) -> SigningKey:
    """Return the private key as an object of `cryptography`.

    Raises:
        ValueError: it is not an unencrypted private key in PEM format.
    """
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return cast("SigningKey", load_pem_private_key(identity.key, None))  # `algorithm` refuses the kinds that cannot
    except (ValueError, TypeError) as error:
        raise ValueError(f"provenance.key: not an unencrypted private key in PEM format ({error})") from error


def _read(path: Path, what: str) -> bytes:
    if not path.is_file():
        raise ValueError(f"{what}: {path}: no such file")
    return path.read_bytes()


def _make(folder: Path) -> None:
    """Create a root certificate and a signing certificate under it; the root's key is discarded."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    root, own = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    chain = [_certificate("signing", own, root, False), _certificate("root", root, root, True)]
    with atomic_path(folder) as temporary:
        temporary.mkdir(mode=0o700)
        key = temporary / KEY
        key.touch(mode=0o600)
        key.write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        (temporary / CERTIFICATES).write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in chain))


def _certificate(name: str, key: "Ed25519PrivateKey", issuer: "Ed25519PrivateKey", authority: bool) -> "Certificate":
    """Create a certificate that follows the C2PA profile (specification 2.2, section 14.5)."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def named(title: str) -> x509.Name:
        parts = {NameOID.COMMON_NAME: f"{_OWNER}, {title}", NameOID.ORGANIZATION_NAME: _OWNER}
        return x509.Name([x509.NameAttribute(oid, text) for oid, text in parts.items()])

    now = datetime.datetime.now(datetime.UTC)
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=authority, crl_sign=authority, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named("root"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _YEARS * 365 * _DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False)
    )
    if not authority:
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(purposes, critical=False)
    return builder.sign(issuer, None)
