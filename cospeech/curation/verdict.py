"""Compare scores with thresholds, and give every reason for refusing a clip."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Score = float | None


@dataclass(frozen=True)
class Check:
    """A rule for one score and the threshold of the same name.

    side: the score must be above the threshold (`above`), at least (`least`) or at most the threshold (`most`).
    sentence: the reason for refusing a clip.
    """

    name: str
    side: Literal["above", "least", "most"]
    sentence: str

    def holds(self, score: float, threshold: float) -> bool:
        """Return whether the score passes."""
        if self.side == "above":
            return score > threshold
        return score >= threshold if self.side == "least" else score <= threshold


CHECKS = (
    Check("clip_seconds", "least", "lasts {score:.2f} s, at least {threshold:g} s are needed"),
    Check("face_confidence", "above", "the face has mean confidence {score:.3f}, not above {threshold:g}"),
    Check(
        "upper_body_confidence",
        "above",
        "shoulders, elbows and wrists have mean confidence {score:.3f}, not above {threshold:g}",
    ),
    Check(
        "upper_body_visible",
        "least",
        "shoulders and elbows are visible in {score:.1%} of frames, under {threshold:.0%}",
    ),
    Check("hands_visible", "least", "a hand is found in {score:.1%} of frames, under {threshold:.0%}"),
    Check("second_face", "most", "more than one face in {score:.0%} of the sampled frames, over {threshold:.0%}"),
    Check("cut", "most", "a cut: one change between frames stands out by {score:.2f}, over {threshold:g}"),
    Check("camera_motion", "most", "the background moves by {score:.3f} picture widths a second, over {threshold:g}"),
    Check("voice_share", "least", "speech in {score:.1%} of frames, under {threshold:.0%}: silence, music or noise"),
)
"""The rules for one score each, in the order in which reasons are listed."""

AV_SENTENCE = "the sound is {offset:+d} frames late (evidence {evidence:.2f}), more than {threshold:g} either way"


def refusal_reasons(scores: Mapping[str, Score], thresholds: Mapping[str, float]) -> list[str]:
    """Return every reason for refusing a clip, as "NAME: sentence"; an empty list keeps it.

    A score of None could not be measured and gives no reason. The audio-video offset gives one only where `av_evidence`
    reaches its threshold.
    """
    reasons = []
    for check in CHECKS:
        score, threshold = scores[check.name], thresholds[check.name]
        if score is not None and not check.holds(score, threshold):
            reasons.append(f"{check.name}: " + check.sentence.format(score=score, threshold=threshold))
    offset, evidence = scores["av_offset"], scores["av_evidence"] or 0.0
    limit = thresholds["av_offset"]
    if offset is not None and abs(offset) > limit and evidence >= thresholds["av_evidence"]:
        reasons.append("av_offset: " + AV_SENTENCE.format(offset=int(offset), evidence=evidence, threshold=limit))
    return reasons


def count_reasons(reasons: Iterable[str]) -> list[tuple[str, int]]:
    """Names of the reasons with their counts, most count_reasons first."""
    counts = Counter(reason.split(":", 1)[0] for reason in reasons)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
