"""Content credentials (C2PA) inside mp4 files: what drew a video, from whose picture and with what consent."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cospeech.harness.clip_cache import ClipStore
from cospeech.harness.files import atomic_path, file_digest, value_digest
from cospeech.provenance.identity import Identity

CLAIMS = "org.cospeech.generation"
_SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
GENERATED = _SOURCES + "trainedAlgorithmicMedia"
COMPOSITE = _SOURCES + "compositeWithTrainedAlgorithmicMedia"
"""Digital source types of IPTC: drawn by a model; real and drawn pictures together."""


@dataclass(frozen=True)
class Credentials:
    """claims: what `sign_video` was given. signer: common name. problems: what the validator found beside that the
    signer is not on a public list of trust; none: not a byte was changed."""

    claims: Mapping[str, Any]
    signer: str
    problems: list[str]


def sign_video(path: Path, identity: Identity, source_type: str, claims: Mapping[str, Any], store: Path) -> None:
    """Replace the mp4 at `path` by itself with credentials.

    C2PA salts what it signs, so two signatures of the same thing differ. What was signed before is therefore taken
    from the clip store under `store`: a repeated run gives the same bytes.
    """
    kept = ClipStore(store, "signed", value_digest([source_type, dict(claims), identity.certificates.decode("ascii")]))
    key = kept.key(file_digest(path))
    if kept.fetch(key, {"video.mp4": path}):
        return
    sign_file(path, identity, source_type, claims)
    kept.put(key, {"video.mp4": path})


def sign_file(path: Path, identity: Identity, source_type: str, claims: Mapping[str, Any]) -> None:
    """Replace the mp4 at `path` by itself with credentials, anew each time."""
    with atomic_path(path) as signed:
        _sign(path, signed, identity, source_type, claims)


def _sign(source: Path, target: Path, identity: Identity, source_type: str, claims: Mapping[str, Any]) -> None:
    import c2pa

    action = {"action": "c2pa.created", "digitalSourceType": source_type, "softwareAgent": {"name": "cospeech"}}
    manifest = {
        "claim_generator_info": [{"name": "cospeech"}],
        "title": source.name,
        "format": "video/mp4",
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [action]}},
            {"label": CLAIMS, "data": dict(claims)},
        ],
    }
    info = c2pa.C2paSignerInfo(identity.algorithm.encode(), identity.certificates, identity.key, None)
    try:
        with c2pa.Signer.from_info(info) as signer, c2pa.Builder(manifest) as builder:
            builder.sign_file(str(source), str(target), signer)
    except c2pa.C2paError as error:
        raise ValueError(
            f"{source}: could not be signed: {error}; see the section provenance of params.yaml"
        ) from error


def read_credentials(path: Path) -> Credentials | None:
    """What an mp4 says of itself; None if it carries no credentials.

    Raises:
        ValueError: not a readable mp4.
    """
    import c2pa

    try:
        with c2pa.Reader(str(path)) as reader:
            read = json.loads(reader.json())
    except c2pa.C2paError.ManifestNotFound:
        return None
    except c2pa.C2paError as error:
        raise ValueError(f"{path}: its credentials cannot be read: {error}") from error
    active = read["manifests"][read["active_manifest"]]
    claims: dict[str, Any] = next((each["data"] for each in active["assertions"] if each["label"] == CLAIMS), {})
    failures = read.get("validation_results", {}).get("activeManifest", {}).get("failure", [])
    problems = [
        f"{each['code']}: {each.get('explanation', '')}"
        for each in failures
        if each["code"] != "signingCredential.untrusted"
    ]
    return Credentials(claims, str(active.get("signature_info", {}).get("common_name")), problems)
