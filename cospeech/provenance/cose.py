"""The certificate that signed a C2PA claim, out of the manifest store (JUMBF, ISO/IEC 19566-5) and its COSE signature
(RFC 9052, RFC 9360): c2pa-python checks the signature but gives only the names that the certificate bears."""

from collections.abc import Iterator

from cospeech.utils.json_types import JSONValue

_SIGNATURE, _CBOR = "c2pa.signature", b"cbor"
_X5CHAIN = (33, "x5chain")
_LABELLED = 2
"""Bit of a description box's toggles."""


def signing_certificate(store: bytes, manifest: str) -> bytes:
    """Return the certificate (DER) whose key signed the claim of the manifest of that label.

    Raises:
        ValueError: there is not exactly one, or it is written as no signer of ours writes it.
    """
    try:
        (root,) = _superboxes(store).values()
        content = dict(_boxes(_superboxes(_superboxes(root)[manifest])[_SIGNATURE]))[_CBOR]
        (protected, unprotected, *_), _ = _decode(content, 0)
        headers = [*_decode(protected, 0)[0], *unprotected]
        (chain,) = [value for key, value in headers if key in _X5CHAIN]
        return bytes(chain[0] if isinstance(chain, list) else chain)
    except (KeyError, IndexError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"the certificate that signed it cannot be told ({error!r})") from error


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (type, content) of each box."""
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if not 8 <= size <= len(data) - at:
            raise ValueError(f"a box of {size} bytes where {len(data) - at} are left")
        yield data[at + 4 : at + 8], data[at + 8 : at + size]
        at += size


def _superboxes(data: bytes) -> dict[str, bytes]:
    """Content of each JUMBF superbox by its label, the description box taken off."""
    found: dict[str, bytes] = {}
    for kind, content in _boxes(data):
        if kind != b"jumb":
            continue
        (_, described), *_ = _boxes(content)
        if not described[16] & _LABELLED:
            continue
        label = described[17:].split(b"\0")[0].decode()
        if label in found:
            raise ValueError(f"two boxes of the label {label}")
        found[label] = content[8 + len(described) :]
    return found


def _decode(data: bytes, at: int) -> tuple[JSONValue, int]:
    """The CBOR item (RFC 8949, without indefinite lengths) at `at`, and where it ends. A map is a list of pairs, so
    that a key that stands twice is seen."""
    kind, value = data[at] >> 5, data[at] & 31
    at += 1
    if 24 <= value <= 27:
        size = 1 << (value - 24)
        value, at = int.from_bytes(data[at : at + size], "big"), at + size
    elif value > 27:
        raise ValueError("an indefinite length")
    if kind in (2, 3):
        raw = data[at : at + value]
        return (raw if kind == 2 else raw.decode()), at + value
    if kind in (4, 5):
        items = []
        for _ in range(value * (kind - 3)):
            item, at = _decode(data, at)
            items.append(item)
        return (items if kind == 4 else list(zip(items[::2], items[1::2], strict=True))), at
    if kind == 6:  # a tag
        return _decode(data, at)
    return {0: value, 1: -1 - value}.get(kind), at
