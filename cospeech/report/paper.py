"""Figures of the paper (arXiv 2510.02617, tables 1 and 2, on an H100), and which of them compare with ours."""

ROWS: dict[str, dict[str, float]] = {
    "paper: teacher as published": {"fps": 1.93, "psnr": 23.89, "ssim": 0.823, "hkc": 0.928, "sync_c": 4.56},
    "paper: teacher fine-tuned": {"fps": 1.93, "psnr": 24.01, "ssim": 0.835, "hkc": 0.945, "sync_c": 7.15},
    "paper: + global attention": {"fps": 3.28, "psnr": 23.89, "ssim": 0.834, "hkc": 0.943, "sync_c": 7.14},
    "paper: + local attention": {"fps": 4.42, "psnr": 23.89, "ssim": 0.831, "hkc": 0.943, "sync_c": 7.14},
    "paper: + distillation": {"fps": 25.31, "psnr": 22.99, "ssim": 0.826, "hkc": 0.941, "sync_c": 7.08},
    "paper: student (+ region loss)": {
        "fps": 25.31, "psnr": 23.87, "ssim": 0.829, "hkc": 0.948, "sync_c": 7.28, "sync_d": 6.99, "fid": 57.01,
        "fvd": 610.34,
    },
}  # fmt: skip

COMPARES = (
    ("PSNR, SSIM", "level: no", "other footage, at another size. The step from teacher to student compares in kind"),
    ("frames a second", "level: no", "theirs on an H100, ours on the device named below; the ratio compares in kind"),
    ("HKC", "no", "another detector: ours gives all points of a hand one score, theirs each its own"),
    ("HKV", "no", "theirs (HKD 24.83) comes without a unit; ours is in squared shoulder widths"),
    ("Sync-C, Sync-D", "only under SyncNet", "another network has another scale; set evaluate.weights.syncnet"),
    ("FID, FVD", "no", "they depend on the footage and on how many frames are taken"),
    ("LMD, PCK, flicker, FGD", "not in the paper", ""),
)


def step() -> dict[str, float]:
    """Return the paper's change in PSNR and its speed-up from the fine-tuned teacher to the student."""
    teacher, student = ROWS["paper: teacher fine-tuned"], ROWS["paper: student (+ region loss)"]
    return {"psnr": student["psnr"] - teacher["psnr"], "ratio": student["fps"] / teacher["fps"]}
