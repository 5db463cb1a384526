import re
from pathlib import Path

import numpy as np
import pytest

from cospeech.registry.gate import Gate, Rule, decide, read_rows

CLIPS = [f"clip-{index}" for index in range(8)]
GATE = Gate((Rule("psnr", "higher", 0.0), Rule("lmd", "lower", -0.01)), 0.95, 2000, 4)


def rows(psnr: float, lmd: float, noise: float = 0.3, seed: int = 0) -> dict[str, dict[str, float | None]]:
    """Clips differ much among themselves, models little on the same clip: what a paired interval is for."""
    clip_level = np.random.default_rng(7).normal(0, 5, len(CLIPS))
    rng = np.random.default_rng(seed)
    return {
        clip: {"psnr": psnr + level + rng.normal(0, noise), "lmd": lmd + rng.normal(0, 0.001)}
        for clip, level in zip(CLIPS, clip_level, strict=True)
    }


def test_better_on_every_clip_is_promoted_though_clips_differ_more() -> None:
    decision = decide(rows(27, 0.05, seed=1), rows(26, 0.05, seed=2), GATE)
    assert decision.promote
    assert "gain +" in decision.reason
    [psnr, _] = decision.comparisons
    assert psnr.low is not None
    assert 0 < psnr.low < psnr.gain < psnr.high  # type: ignore[operator]


@pytest.mark.parametrize(("psnr", "lmd"), [(25.9, 0.05), (26.0, 0.05), (28.0, 0.08)])
def test_worse_or_not_surely_better_is_kept_out(psnr: float, lmd: float) -> None:
    decision = decide(rows(psnr, lmd, seed=3), rows(26, 0.05, seed=2), GATE)
    assert not decision.promote
    assert decision.reason.startswith("kept: ")


def test_the_same_model_is_not_better_than_itself() -> None:
    same = rows(26, 0.05)
    assert not decide(same, same, GATE).promote


def test_a_small_loss_within_the_margin_is_put_up_with() -> None:
    assert decide(rows(27, 0.055, seed=1), rows(26, 0.05, seed=2), GATE).promote


def test_unmeasured_is_never_promoted() -> None:
    production = rows(20, 0.05)
    blind = {clip: {**row, "lmd": None} if clip == "clip-3" else row for clip, row in rows(30, 0.04).items()}
    decision = decide(blind, production, GATE)
    assert not decision.promote
    assert "could not be measured on clip-3, where the model in production could" in decision.reason
    nothing: dict[str, dict[str, float | None]] = {clip: {"psnr": 30.0} for clip in CLIPS}
    assert not decide(nothing, production, GATE).promote
    assert not decide(nothing, None, GATE).promote
    assert not decide({}, None, GATE).promote


def test_too_few_clips_or_other_clips_are_kept_out() -> None:
    good, bad = rows(30, 0.04), rows(20, 0.05)
    few = {clip: good[clip] for clip in CLIPS[:3]}, {clip: bad[clip] for clip in CLIPS[:3]}
    decision = decide(*few, GATE)
    assert not decision.promote
    assert re.search(r"3 clips.* 4", decision.reason)
    other = {**{clip: good[clip] for clip in CLIPS[:7]}, "clip-9": good["clip-7"]}
    decision = decide(other, bad, GATE)
    assert not decision.promote
    assert "clip-7, clip-9" in decision.reason


def test_the_first_model_needs_to_be_measured_only() -> None:
    decision = decide(rows(10, 0.5), None, GATE)
    assert decision.promote
    assert decision.reason.startswith("promoted, the first: psnr 9.3")


def test_more_confidence_asks_for_more() -> None:
    better, good = rows(26.25, 0.05, seed=1), rows(26, 0.05, seed=2)
    bold, careful = (Gate((Rule("psnr", "higher", 0.0),), level, 4000, 4) for level in (0.6, 0.999))
    lows = [decide(better, good, gate).comparisons[0].low for gate in (bold, careful)]
    assert lows[1] < lows[0]  # type: ignore[operator]


def test_sound_early_is_no_better_than_sound_late(tmp_path: Path) -> None:
    path = tmp_path / "clips.csv"
    path.write_text("clip,model,sync_offset\na-1,student,-10\na-2,student,2\n")
    assert read_rows(path, "student") == {"a-1": {"sync_offset": 10.0}, "a-2": {"sync_offset": 2.0}}


def test_rows_come_from_the_table_of_evaluate(tmp_path: Path) -> None:
    path = tmp_path / "clips.csv"
    path.write_text("clip,speaker,model,psnr,lmd\na-1,ann,student,26.5,\na-1,ann,teacher,27,0.1\n")
    assert read_rows(path, "student") == {"a-1": {"psnr": 26.5, "lmd": None}}
    with pytest.raises(ValueError, match="motion"):
        read_rows(path, "motion")
    with pytest.raises(ValueError, match="evaluate"):
        read_rows(tmp_path / "absent.csv", "student")


def test_a_slope_is_good_near_one_on_either_side() -> None:
    gate = Gate((Rule("mouth_slope", "one", 0.0),), 0.95, 2000, 4)

    def slopes(value: float) -> dict[str, dict[str, float | None]]:
        return {clip: {"mouth_slope": value + place / 1000} for place, clip in enumerate(CLIPS)}

    assert decide(slopes(0.8), slopes(0.5), gate).promote
    assert decide(slopes(0.95), slopes(1.3), gate).promote
    assert not decide(slopes(1.3), slopes(0.95), gate).promote


def test_a_network_that_nobody_has_is_left_out_and_one_that_is_lost_is_not() -> None:
    gate = Gate((Rule("psnr", "higher", 0.0), Rule("identity", "higher", -0.02)), 0.95, 2000, 4)
    good, bad = rows(30, 0.04, seed=1), rows(20, 0.05, seed=2)
    for production in (bad, None):
        decision = decide(good, production, gate)
        assert decision.promote
        assert "identity left out, measured of no model" in decision.reason
    known = {clip: {**row, "identity": 0.9} for clip, row in bad.items()}
    assert not decide(good, known, gate).promote
    assert decide({clip: {**row, "identity": 0.9} for clip, row in good.items()}, known, gate).promote
