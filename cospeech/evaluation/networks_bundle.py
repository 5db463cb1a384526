"""The networks that measures look through, as far as their weights are there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from cospeech.harness.files import file_digest
from cospeech.metric_networks.arcface import ArcFace
from cospeech.metric_networks.blendshapes import Blendshapes
from cospeech.metric_networks.fetch import FACE_LANDMARKER, SFACE
from cospeech.metric_networks.fetch import I3D as FETCHED_I3D
from cospeech.metric_networks.i3d import I3D
from cospeech.metric_networks.inception import Inception
from cospeech.metric_networks.lipsync import SyncJudge, load_judge
from cospeech.metric_networks.lpips import Lpips
from cospeech.metric_networks.sface import SFace

KEY = "evaluate.weights"
_FETCHED = {"identity": SFACE, "expression": FACE_LANDMARKER, "fvd": FETCHED_I3D}


@dataclass(frozen=True)
class Judges:
    """None where there are no weights. digests: of the published weights that are used, by measure."""

    sync: SyncJudge | None = None
    lpips: Lpips | None = None
    fid: Inception | None = None
    fvd: I3D | None = None
    identity: ArcFace | SFace | None = None
    expression: Blendshapes | None = None
    digests: Mapping[str, str] | None = None


def load_judges(
    weights: Mapping[str, Path | None], fetched: Path, expert: Path, device: torch.device, fps: int, rate: int
) -> Judges:
    """weights: those that are named, by measure (syncnet, lpips, fid, fvd, identity). fetched: the folder of
    `cospeech measures fetch`; what is in it stands in where nothing is named. expert: judges lip-sync without syncnet.

    Raises:
        ValueError: weights that are named and not there, or not what the network needs.
    """
    named = {name: path for name, path in weights.items() if path is not None}
    brought = {name: fetched / file for name, file in _FETCHED.items() if (fetched / file).is_file()}
    given = brought | named
    keys = {name: f"{KEY}.{name}" if name in named else str(fetched) for name in {*weights, *given}}
    sync = given.get("syncnet", expert if expert.is_dir() else None)
    identity: ArcFace | SFace | None = None
    if "identity" in named:
        identity = ArcFace(given["identity"], device, keys["identity"])
    elif "identity" in given:
        identity = SFace(given["identity"], keys["identity"])
    return Judges(
        sync=load_judge(sync, device, fps, rate, keys["syncnet"]) if sync else None,
        lpips=Lpips(given["lpips"], device, keys["lpips"]) if "lpips" in given else None,
        fid=Inception(given["fid"], device, keys["fid"]) if "fid" in given else None,
        fvd=I3D(given["fvd"], device, keys["fvd"]) if "fvd" in given else None,
        identity=identity,
        expression=Blendshapes(given["expression"], keys["expression"]) if "expression" in given else None,
        digests={name: file_digest(path) for name, path in given.items()},
    )
