"""Content credentials in real mp4 files, by keys made here and by keys brought along."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cospeech.cli import main
from cospeech.media import read_frames, write_video
from cospeech.provenance.bundle import check_bundle, sign_bundle
from cospeech.provenance.identity import Identity, load_identity
from cospeech.provenance.video import GENERATED, read_credentials, sign_video

CLAIMS = {"models": {"student": "0" * 64}, "reference": {"clip": "ann-1", "consent": "written"}}


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "talk.mp4"
    write_video(path, np.random.default_rng(0).integers(0, 255, (6, 64, 64, 3), np.uint8), 25)
    return path


def sign(path: Path, root: Path) -> Identity:
    identity = load_identity(root / "signing", None, None)
    sign_video(path, identity, GENERATED, CLAIMS, root / "store")
    return identity


def test_a_signed_video_says_what_it_is_and_looks_the_same(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_frames(video)
    assert read_credentials(video) is None
    sign(video, tmp_path)
    found = read_credentials(video)
    assert found is not None
    assert found.claims == CLAIMS
    assert found.signer == "cospeech project, signing"
    assert found.problems == []
    assert b"trainedAlgorithmicMedia" in video.read_bytes()
    assert (read_frames(video) == before).all()
    assert main(["verify", str(video)]) == 0
    assert "picture of ann-1" in capsys.readouterr().out


def test_a_video_that_others_signed_is_not_called_ours(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sign_video(video, load_identity(tmp_path / "signing", None, None), GENERATED, {}, tmp_path / "store")
    assert main(["verify", str(video)]) != 0
    assert "but not drawn by cospeech" in capsys.readouterr().err


def test_a_changed_picture_is_noticed(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sign(video, tmp_path)
    data = bytearray(video.read_bytes())
    data[-200] ^= 1
    video.write_bytes(bytes(data))
    found = read_credentials(video)
    assert found is not None
    assert any("bmffHash" in problem for problem in found.problems)
    assert main(["verify", str(video)]) == 1
    assert "bmffHash.mismatch" in capsys.readouterr().err


def test_signing_again_gives_the_same_bytes(video: Path, tmp_path: Path) -> None:
    plain = video.read_bytes()
    sign(video, tmp_path)
    signed = video.read_bytes()
    video.write_bytes(plain)
    sign(video, tmp_path)
    assert video.read_bytes() == signed != plain


def test_the_projects_key_is_private_and_made_once(tmp_path: Path) -> None:
    first = load_identity(tmp_path / "signing", None, None)
    assert load_identity(tmp_path / "signing", None, None) == first
    assert (tmp_path / "signing/key.pem").stat().st_mode & 0o77 == 0
    assert first.own


def own_keys(folder: Path, key) -> tuple[Path, Path]:  # type: ignore[no-untyped-def]
    """As a studio brings them: a certificate of its own authority."""
    root = ec.generate_private_key(ec.SECP256R1())

    def certificate(name: str, of, ca: bool) -> x509.Certificate:  # type: ignore[no-untyped-def]
        def named(title: str) -> x509.Name:
            oids = (x509.oid.NameOID.COMMON_NAME, x509.oid.NameOID.ORGANIZATION_NAME)
            return x509.Name([x509.NameAttribute(oid, title) for oid in oids])

        usage = x509.KeyUsage(True, False, False, False, False, ca, ca, False, False)
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            named("Studio root"), named(name), of.public_key(), 7, now, now + timedelta(9)
        )
        builder = builder.add_extension(x509.BasicConstraints(ca, None), True).add_extension(usage, True)
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())
        builder = builder.add_extension(above, False)
        if not ca:
            purpose = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(purpose, False)
        return builder.sign(root, SHA256())

    chain = [certificate("Studio", key, False), certificate("Studio root", root, True)]
    paths = folder / "studio.key", folder / "studio.pem"
    paths[0].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    paths[1].write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in chain))
    return paths


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("es256", lambda: ec.generate_private_key(ec.SECP256R1())),
        ("es384", lambda: ec.generate_private_key(ec.SECP384R1())),
        ("ps256", lambda: rsa.generate_private_key(65537, 2048)),
    ],
)
def test_keys_brought_along_sign_videos_and_bundles(video: Path, tmp_path: Path, kind: str, key) -> None:  # type: ignore[no-untyped-def]
    identity = load_identity(tmp_path / "unused", *own_keys(tmp_path, key()))
    assert identity.algorithm == kind
    assert not (tmp_path / "unused").exists()
    sign_video(video, identity, GENERATED, CLAIMS, tmp_path / "store")
    found = read_credentials(video)
    assert found is not None
    assert (found.signer, found.problems) == ("Studio", [])
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "provenance.json").write_text('{"files": {}, "training_clips": []}')
    sign_bundle(bundle, identity)
    assert check_bundle(bundle).signer == "Studio"
    assert check_bundle(bundle).problems == []


def test_wrong_keys_are_named(tmp_path: Path, video: Path) -> None:
    with pytest.raises(ValueError, match="give both, or neither"):
        load_identity(tmp_path / "x", tmp_path / "key.pem", None)
    with pytest.raises(ValueError, match=r"absent.pem: no such file"):
        load_identity(tmp_path / "x", tmp_path / "absent.pem", tmp_path / "absent.pem")
    (tmp_path / "bad.pem").write_text("no key")
    with pytest.raises(ValueError, match="PEM form"):
        load_identity(tmp_path / "x", tmp_path / "bad.pem", tmp_path / "bad.pem")
    key, _ = own_keys(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    other = load_identity(tmp_path / "signing", None, None)
    mixed = Identity(key.read_bytes(), other.certificates, own=False)
    with pytest.raises(ValueError, match="could not be signed"):
        sign_video(video, mixed, GENERATED, CLAIMS, tmp_path / "store")
