"""The networks that measures look through, as far as their weights are there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from cospeech.harness.files import file_digest
from cospeech.metric_networks.arcface import ArcFace
from cospeech.metric_networks.i3d import I3D
from cospeech.metric_networks.inception import Inception
from cospeech.metric_networks.lipsync import SyncJudge, load_judge
from cospeech.metric_networks.lpips import Lpips

KEY = "evaluate.weights"


@dataclass(frozen=True)
class Judges:
    """None where there are no weights. digests: of the official weights that are used, by measure."""

    sync: SyncJudge | None = None
    lpips: Lpips | None = None
    fid: Inception | None = None
    fvd: I3D | None = None
    identity: ArcFace | None = None
    digests: Mapping[str, str] | None = None


def load_judges(weights: Mapping[str, Path | None], expert: Path, device: torch.device, fps: int, rate: int) -> Judges:
    """weights: official ones by measure (syncnet, lpips, fid, fvd, identity). expert: judges lip-sync without syncnet.

    Raises:
        ValueError: weights that are named and not there, or not what the network needs.
    """
    given = {name: path for name, path in weights.items() if path is not None}
    keys = {name: f"{KEY}.{name}" for name in weights}
    sync = given.get("syncnet", expert if expert.is_dir() else None)
    return Judges(
        sync=load_judge(sync, device, fps, rate, keys["syncnet"]) if sync else None,
        lpips=Lpips(given["lpips"], device, keys["lpips"]) if "lpips" in given else None,
        fid=Inception(given["fid"], device, keys["fid"]) if "fid" in given else None,
        fvd=I3D(given["fvd"], device, keys["fvd"]) if "fvd" in given else None,
        identity=ArcFace(given["identity"], device, keys["identity"]) if "identity" in given else None,
        digests={name: file_digest(path) for name, path in given.items()},
    )
