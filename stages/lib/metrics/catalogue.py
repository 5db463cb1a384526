"""The measures of reports/metrics.json: how they are named, read and judged. docs/metrics.md has the definitions."""

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
    Measure("lmd", "LMD", "eye distances", "lower", 4),
    Measure("sync_c", "Sync-C", "", "higher", 3),
    Measure("sync_d", "Sync-D", "", "lower", 3),
    Measure("sync_offset", "sync offset", "frames, absolute", "lower", 2),
    Measure("bilabial_closure", "lips closed at p b m", "share", "truth", 3),
    Measure("hkc", "HKC", "", "higher", 3),
    Measure("hand_missing", "hands not found", "share", "lower", 3),
    Measure("hkv", "HKV", "squared shoulder widths", "truth", 4),
    Measure("hand_pck", "hand PCK", "share", "higher", 3),
    Measure("flicker", "flicker", "share of the grey range", "truth", 4),
    Measure("face_missing", "faces not found", "share", "lower", 3),
)

UNAVAILABLE = {
    "lpips": "needs the official AlexNet weights of LPIPS; none are configured",
    "fid": "needs the official Inception-v3 weights; none are configured",
    "fvd": "needs the official I3D weights; none are configured",
    "e_fid": "needs the official expression coefficients of Deep3DFaceRecon; none are configured",
    "identity": "needs the official ArcFace weights; none are configured",
}
"""Measures of the field that are null here, and why. No stand-in goes under these names."""
