"""The measures of reports/metrics.json: how they are named, read and judged. Definitions: docs/reference/metrics.md."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """better: "higher", "lower", or "truth" where only nearness to real footage is good."""

    key: str
    title: str
    unit: str
    better: str
    digits: int


MEASURES = (
    Measure("psnr", "PSNR", "dB", "higher", 2),
    Measure("ssim", "SSIM", "", "higher", 3),
    Measure("lpips", "LPIPS", "", "lower", 3),
    Measure("lmd", "LMD", "eye distances", "lower", 4),
    Measure("sync_c", "Sync-C", "", "higher", 3),
    Measure("sync_d", "Sync-D", "", "lower", 3),
    Measure("sync_offset", "sync offset", "frames, absolute", "lower", 2),
    Measure("bilabial_closure", "lips closed at p b m", "share", "truth", 3),
    Measure("hkc", "HKC", "", "higher", 3),
    Measure("hand_missing", "hands not found", "share", "lower", 3),
    Measure("hkv", "HKV", "squared shoulder widths", "truth", 4),
    Measure("hand_pck", "hand PCK", "share", "higher", 3),
    Measure("identity", "identity", "cosine", "higher", 3),
    Measure("flicker", "flicker", "share of the grey range", "truth", 4),
    Measure("face_missing", "faces not found", "share", "lower", 3),
)

ABSOLUTE = frozenset({"sync_offset"})
"""Measures that clips have with a sign, and of which the size alone is good or bad."""

SET_MEASURES = (Measure("fid", "FID", "", "lower", 2), Measure("fvd", "FVD", "", "lower", 1))
"""Of all frames or stretches of a model together; a clip has none."""

GESTURES = (
    Measure("fgd", "FGD", "", "lower", 3),
    Measure("beat_consistency", "beat consistency", "", "truth", 3),
    Measure("diversity", "diversity", "shoulder widths", "truth", 4),
    Measure("lmd", "LMD", "eye distances", "lower", 4),
    Measure("blinks", "blinks", "a minute", "truth", 1),
    Measure("lip_correlation", "lip opening like the real one", "correlation", "higher", 3),
    Measure("sync_c", "Sync-C", "", "higher", 3),
    Measure("sync_d", "Sync-D", "", "lower", 3),
)
"""Of motion drawn from the voice."""

WEIGHTS = {
    "lpips": "needs ImageNet's AlexNet (evaluate.weights.lpips); not configured",
    "fid": "needs the official Inception-v3 weights (evaluate.weights.fid); not configured",
    "fvd": "needs the official I3D weights (evaluate.weights.fvd); not configured",
    "identity": "needs the official ArcFace weights (evaluate.weights.identity); not configured",
}
"""Measures that look through a published network, and why they are null without its weights. No stand-in goes under
these names."""

UNAVAILABLE = {"e_fid": "needs the expression coefficients of Deep3DFaceRecon, which is not free software"}
"""Measures of the paper that are null here, and why."""
