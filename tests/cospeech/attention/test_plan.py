"""Which past frames a frame looks at (eq. 1 and 2), and the mask written out (eq. 3)."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from cospeech.attention.backends.dense import dense_mask
from cospeech.attention.dispatch import sparse_attention
from cospeech.attention.plan import (
    AttentionPlan,
    MaskConfig,
    MaskPart,
    alignment_error,
    kept_share,
    past_frames,
    plan_attention,
)
from cospeech.pose.track import PoseTrack
from tests.helpers.keypoints import unit_track


def moved(pose_P2: np.ndarray, degrees: float, shift: tuple[float, float]) -> np.ndarray:
    turn = Rotation.from_euler("z", degrees, degrees=True).as_matrix()[:2, :2]
    return pose_P2 @ turn.T + np.array(shift)


def test_a_rigidly_moved_pose_has_no_error() -> None:
    pose = np.random.default_rng(0).random((9, 2))
    error = alignment_error(unit_track(np.stack([pose, moved(pose, 140, (0.3, -2.0))])))
    assert error[0, 1] == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("change", ["scaled", "mirrored"])
def test_scale_and_reflection_are_not_taken_away(change: str) -> None:
    pose = np.random.default_rng(0).random((9, 2))
    other = pose * 1.3 if change == "scaled" else pose * [-1, 1]
    assert alignment_error(unit_track(np.stack([pose, other])))[0, 1] > 0.05


def test_it_is_the_least_error_over_rigid_motions() -> None:
    """Against a search over angle and shift, with unequal confidences."""
    rng = np.random.default_rng(1)
    poses, confidence = rng.random((2, 9, 2)), rng.random((2, 9))
    weight = confidence[0] * confidence[1] / (confidence[0] @ confidence[1])

    def error(x: np.ndarray) -> float:
        return float(weight @ ((poses[0] - moved(poses[1], x[0], (x[1], x[2]))) ** 2).sum(-1))

    least = min(minimize(error, [angle, 0, 0], method="Nelder-Mead").fun for angle in range(0, 360, 45))
    found = alignment_error(unit_track(poses, confidence))
    assert found[0, 1] == pytest.approx(np.sqrt(least), abs=1e-4)
    np.testing.assert_allclose(found, found.T)


def test_points_of_no_confidence_count_for_nothing() -> None:
    pose = np.random.default_rng(2).random((9, 2))
    other = pose.copy()
    other[4] = 50
    confidence = np.ones((2, 9))
    confidence[1, 4] = 0
    assert alignment_error(unit_track(np.stack([pose, other]), confidence))[0, 1] == pytest.approx(0, abs=1e-7)


def test_poses_without_a_common_point_come_last() -> None:
    poses = np.random.default_rng(3).random((3, 2, 2))
    confidence = np.array([[1, 0], [0, 1], [1, 1]])
    error = alignment_error(unit_track(poses, confidence))
    assert np.isinf(error[0, 1])
    assert np.isfinite(error[0, 2])


def test_the_most_similar_past_frames_are_kept() -> None:
    error = np.array([[0, 9, 9, 9], [9, 0, 9, 9], [9, 9, 0, 9], [0.2, 0.3, 0.1, 0]], dtype=float)
    np.testing.assert_array_equal(past_frames(error, 2), [[-1, -1], [0, -1], [1, 0], [2, 0]])


def test_the_later_of_equal_frames_wins() -> None:
    assert past_frames(np.zeros((4, 4)), 2)[3].tolist() == [2, 1]


def test_more_frames_than_are_past() -> None:
    assert past_frames(np.zeros((3, 3)), 5).tolist() == [[-1] * 5, [0, -1, -1, -1, -1], [1, 0, -1, -1, -1]]


def test_a_negative_number_of_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        plan_attention(unit_track(np.zeros((2, 133, 2))), (4, 4), K=-1)


def test_frames_where_nobody_is_seen_are_planned_too() -> None:
    nobody = unit_track(np.zeros((3, 133, 2), np.float32), np.zeros((3, 133), np.float32))
    plan = plan_attention(nobody, (4, 4), K=2)
    assert not plan.region_BTN.any()
    assert plan.past_BTK[0].tolist() == [[-1, -1], [0, -1], [1, 0]]


PLAN = AttentionPlan(
    torch.tensor([[[-1], [0], [0]]]), torch.tensor([[[0, 1], [1, 2], [1, 0]]])
)  # three frames of two tokens


def test_the_mask_is_equation_three() -> None:
    """By hand: own frame always; frames 1 and 2 see frame 0, where only its second token has a region, 1."""
    expected = [
        [1, 1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 0, 1, 1, 0, 0],
        [0, 1, 0, 0, 1, 1],
        [0, 0, 0, 0, 1, 1],
    ]
    assert dense_mask(PLAN)[0].int().tolist() == expected


def test_the_kept_share_is_that_of_the_mask() -> None:
    other = AttentionPlan(torch.tensor([[[-1, -1], [0, -1], [1, 0]]]), torch.tensor([[[5, 5], [5, 0], [5, 5]]]))
    for plan in (PLAN, other):
        assert kept_share(plan) == pytest.approx(dense_mask(plan).float().mean().item())


def test_joined_plans_keep_their_windows_apart() -> None:
    other = AttentionPlan(torch.tensor([[[-1], [-1], [1]]]), torch.tensor([[[5, 5], [5, 0], [5, 5]]]))
    mask = dense_mask(AttentionPlan.join([PLAN, other]))
    assert torch.equal(mask, torch.cat([dense_mask(PLAN), dense_mask(other)]))


def film(frames: int = 6) -> PoseTrack:
    return unit_track(np.random.default_rng(5).random((frames, 133, 2)).astype(np.float32))


def by_hand(mask: MaskConfig, track: PoseTrack) -> torch.Tensor:
    """Each pair asked what the parts of the mask say to it."""
    both = plan_attention(track, (4, 4), mask.past_frames)
    frames, tokens = both.region_BTN.shape[1:]
    seen = torch.zeros(frames, tokens, frames, tokens, dtype=torch.bool)
    for tq, tk in np.ndindex(frames, frames):
        near = tk in both.past_BTK[0, tq].tolist() if "global" in mask.parts else tk < tq
        region_q, region_k = both.region_BTN[0, tq], both.region_BTN[0, tk]
        shared = (region_q[:, None] == region_k[None]) & (region_q[:, None] > 0)
        local = shared if "local" in mask.parts else torch.ones_like(shared)
        seen[tq, :, tk] = True if tq == tk else near & local
    return seen.reshape(frames * tokens, -1)


@pytest.mark.parametrize("parts", [("global",), ("local",), ("global", "local")])
def test_parts_of_the_mask_can_be_switched_off(parts: tuple[MaskPart, ...]) -> None:
    mask = MaskConfig(parts, past_frames=2)
    plan = mask.plan(film(), (4, 4))
    assert plan is not None
    found = dense_mask(plan)[0]
    assert torch.equal(found, by_hand(mask, film()))
    assert kept_share(plan) == pytest.approx(found.float().mean().item())


def test_without_any_part_attention_is_dense() -> None:
    assert MaskConfig((), past_frames=2).plan(film(), (4, 4)) is None
    assert kept_share(None) == 1


@pytest.mark.parametrize("parts", [("global",), ("local",)])
def test_the_fast_path_takes_a_mask_of_one_part(parts: tuple[MaskPart, ...]) -> None:
    plan = MaskConfig(parts, past_frames=2).plan(film(), (4, 4))
    assert plan is not None
    q, k, v = torch.randn(3, 1, 6 * 16, 2, 8, generator=torch.Generator().manual_seed(0))
    found, expected = (sparse_attention(q, k, v, plan, method) for method in ("gathered", "dense"))
    torch.testing.assert_close(found, expected)
