import pytest

from cospeech.curation.verdict import CHECKS, count_reasons, refusal_reasons

GOOD: dict[str, float | None] = {
    "clip_seconds": 4.0, "face_confidence": 0.99, "upper_body_confidence": 0.95, "upper_body_visible": 1.0,
    "hands_visible": 1.0, "second_face": 0.0, "cut": 0.05, "camera_motion": 0.001, "voice_share": 0.9,
    "av_offset": 0, "av_evidence": 0.5,
}  # fmt: skip
THRESHOLDS = {
    "clip_seconds": 1.5, "face_confidence": 0.9, "upper_body_confidence": 0.8, "upper_body_visible": 0.9,
    "hands_visible": 0.5, "second_face": 0.25, "cut": 0.3, "camera_motion": 0.03, "voice_share": 0.3,
    "av_offset": 4, "av_evidence": 0.2,
}  # fmt: skip
BAD = {
    "clip_seconds": 1.0, "face_confidence": 0.9, "upper_body_confidence": 0.5, "upper_body_visible": 0.5,
    "hands_visible": 0.1, "second_face": 0.5, "cut": 0.9, "camera_motion": 0.1, "voice_share": 0.0,
    "av_offset": -6,
}  # fmt: skip


def names(reasons: list[str]) -> list[str]:
    return [reason.split(":")[0] for reason in reasons]


def test_a_good_clip_has_no_reason() -> None:
    assert refusal_reasons(GOOD, THRESHOLDS) == []


@pytest.mark.parametrize(("name", "score"), BAD.items())
def test_each_score_can_refuse_alone(name: str, score: float) -> None:
    reasons = refusal_reasons({**GOOD, name: score}, THRESHOLDS)
    assert names(reasons) == [name]
    assert f"{THRESHOLDS[name]:g}" in reasons[0] or f"{THRESHOLDS[name]:.0%}" in reasons[0]


def test_every_reason_is_told() -> None:
    assert names(refusal_reasons({**GOOD, **BAD}, THRESHOLDS)) == [*(check.name for check in CHECKS), "av_offset"]


def test_an_offset_needs_evidence() -> None:
    assert refusal_reasons({**GOOD, "av_offset": 12, "av_evidence": 0.19}, THRESHOLDS) == []
    assert refusal_reasons({**GOOD, "av_offset": None, "av_evidence": 0.0}, THRESHOLDS) == []


def test_what_could_not_be_measured_refuses_nothing() -> None:
    assert refusal_reasons({**GOOD, "camera_motion": None}, THRESHOLDS) == []


def test_frequent_counts_names() -> None:
    assert count_reasons(["cut: a", "voice_share: b", "cut: c"]) == [("cut", 2), ("voice_share", 1)]
