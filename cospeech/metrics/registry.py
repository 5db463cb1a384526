"""The measures of reports/metrics.json: how they are named, read and judged. Definitions: docs/reference/metrics.md."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """better: "higher", "lower", "one" (nearer to 1), or "truth" where only nearness to real footage is good."""

    key: str
    title: str
    unit: str
    better: str
    digits: int


MEASURES = (
    Measure("mouth_slope", "mouth opens as asked", "slope", "one", 2),
    Measure("mouth_correlation", "mouth in time with it", "correlation", "higher", 2),
    Measure("eyelid_slope", "eyelids as asked", "slope", "one", 2),
    Measure("eyelid_correlation", "eyelids in time with it", "correlation", "higher", 2),
    Measure("lpips", "LPIPS", "", "lower", 3),
    Measure("lpips_face", "LPIPS of faces", "", "lower", 3),
    Measure("lpips_mouth", "LPIPS of mouths", "", "lower", 3),
    Measure("lpips_hands", "LPIPS of hands", "", "lower", 3),
    Measure("hand_pck", "hand PCK", "share", "higher", 3),
    Measure("hand_missing", "hands not found", "share", "lower", 3),
    Measure("identity", "identity", "cosine", "higher", 3),
    Measure("expression", "expression distance (MediaPipe's 52)", "", "lower", 3),
    Measure("sharpness_face", "sharpness of faces", "share of the real", "one", 2),
    Measure("sharpness_hands", "sharpness of hands", "share of the real", "one", 2),
    Measure("lmd", "LMD", "eye distances", "lower", 4),
    Measure("sync_c", "Sync-C", "", "higher", 3),
    Measure("sync_d", "Sync-D", "", "lower", 3),
    Measure("sync_offset", "sync offset", "frames, absolute", "lower", 2),
    Measure("bilabial_closure", "lips closed at p b m", "share", "truth", 3),
    Measure("hkc", "HKC", "", "higher", 3),
    Measure("hkv", "HKV", "squared shoulder widths", "truth", 4),
    Measure("flicker", "flicker", "share of the grey range", "truth", 4),
    Measure("face_missing", "faces not found", "share", "lower", 3),
    Measure("psnr", "PSNR", "dB", "higher", 2),
    Measure("ssim", "SSIM", "", "higher", 3),
)
"""What people see comes first."""

LEAD = MEASURES[:11]
"""What a model is judged by first: whether it does what the pose asks, and faces and hands as people see them."""

CONTROLS = {
    "mouth_slope": ("mouth_opening", "slope"),
    "mouth_correlation": ("mouth_opening", "correlation"),
    "eyelid_slope": ("eyelids", "slope"),
    "eyelid_correlation": ("eyelids", "correlation"),
}
"""Measures that are one of the two numbers of a quantity of `metrics.control`."""

ABSOLUTE = frozenset({"sync_offset"})
"""Measures that clips have with a sign, and of which the size alone is good or bad."""

SET_MEASURES = (
    Measure("closure_f", "closes at p b m, opens between", "F-score", "higher", 3),
    Measure("fid", "FID", "", "lower", 2),
    Measure("fvd", "FVD", "", "lower", 1),
)
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
    "fvd": "needs I3D: `cospeech measures fetch`, or evaluate.weights.fvd",
    "identity": "needs SFace, `cospeech measures fetch`, or ArcFace, evaluate.weights.identity",
    "expression": "needs MediaPipe's face landmarker: `cospeech measures fetch`",
}
"""Published networks by the measure they are for, and why it is null without their weights. No stand-in goes under
these names."""
SEEN_THROUGH = {"lpips": ("lpips", "lpips_face", "lpips_mouth", "lpips_hands")}
"""Where more than one measure looks through the same network."""

UNAVAILABLE = {"e_fid": "needs the expression coefficients of Deep3DFaceRecon, which is not free software"}
"""Measures of the paper that are null here, and why."""
