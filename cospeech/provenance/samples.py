"""Sign the sample videos of an evaluation."""

from pathlib import Path

from cospeech.artifacts import Curated
from cospeech.harness.files import folder_digest
from cospeech.harness.workspace import Workspace
from cospeech.provenance.identity import Identity
from cospeech.provenance.video import COMPOSITE, GENERATED, sign_video
from cospeech.utils.json_types import JSONObject

STUDENT = "_student"
"""Suffix of the name of a video that shows the student's output alone."""


def sign_samples(folder: Path, workspace: Workspace, identity: Identity) -> None:
    """Sign every mp4 in `folder`: CLIP.mp4 (side by side with real footage) and CLIP_student.mp4."""
    curated = Curated.load(workspace.curated)
    models = {name: folder_digest(workspace.model(name)) for name in ("student", "teacher", "codec")}
    for path in sorted(folder.glob("*.mp4")):
        generated = path.stem.endswith(STUDENT)
        clip = path.stem.removesuffix(STUDENT)
        used = {"student", "codec"} if generated else set(models)
        claims = {
            "models": {name: digest for name, digest in models.items() if name in used},
            "reference": reference_claims(curated, clip),
        }
        sign_video(path, identity, GENERATED if generated else COMPOSITE, claims, workspace.store)


def reference_claims(curated: Curated, clip: str) -> JSONObject:
    """Return what the credentials state about the clip whose picture the video was generated from."""
    row = curated.table[curated.table["clip"] == clip].iloc[0].to_dict()
    return {name: row[name] if isinstance(row[name], str) else None for name in _CLAIMED}


_CLAIMED = ("clip", "sha256", "licence", "consent")
