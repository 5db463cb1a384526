"""The certificate is found where the signature says it is, and nowhere else."""

import struct

import pytest

from cospeech.provenance.cose import signing_certificate

CERTIFICATE, OTHER = b"0\x82 the signer's", b"0\x82 another's"


def head(kind: int, value: int) -> bytes:
    return bytes([kind << 5 | value]) if value < 24 else bytes([kind << 5 | 25]) + struct.pack(">H", value)


def text(data: bytes, kind: int = 2) -> bytes:
    return head(kind, len(data)) + data


def superbox(label: str, content: bytes) -> bytes:
    described = bytes(16) + b"\3" + label.encode() + b"\0"
    inside = struct.pack(">I4s", 8 + len(described), b"jumd") + described + content
    return struct.pack(">I4s", 8 + len(inside), b"jumb") + inside


def store(*headers: tuple[bytes, bytes], more: bytes = b"") -> bytes:
    """headers: CBOR of keys and values, protected."""
    protected = head(5, len(headers)) + b"".join(key + value for key, value in headers)
    signed = b"\xd2" + head(4, 4) + text(protected) + head(5, 0) + b"\xf6" + text(bytes(64))
    signature = superbox("c2pa.signature", struct.pack(">I4s", 8 + len(signed), b"cbor") + signed)
    return superbox("c2pa", superbox("m", signature + more))


ALGORITHM, CHAIN = (b"\x01", b"\x27"), (head(0, 33), head(4, 2) + text(CERTIFICATE) + text(OTHER))
SAME_IN_WORDS = text(b"x5chain", 3), text(OTHER)


def test_the_first_of_the_chain() -> None:
    assert signing_certificate(store(ALGORITHM, CHAIN), "m") == CERTIFICATE
    assert signing_certificate(store(ALGORITHM, SAME_IN_WORDS), "m") == OTHER


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        superbox("c2pa", b""),
        store(ALGORITHM),
        store(CHAIN, CHAIN),
        store(CHAIN, SAME_IN_WORDS),
        store(CHAIN, more=superbox("c2pa.signature", b"")),
        store((head(0, 33), b"\x5f\x41x\xff")),
        store(CHAIN)[:-1],
        store((b"\x81" * 5000, b"\x00")),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(odd: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be told"):
        signing_certificate(odd, "m")
