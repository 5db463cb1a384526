import numpy as np

from cospeech.metrics.crops import cut, square_boxes


def test_the_square_follows_what_moves_and_keeps_its_size() -> None:
    keypoints = np.zeros((3, 2, 2)) + np.array([(100, 50), (120, 60)])
    keypoints[1] += (7, -3)
    keypoints[2, 1] += (40, 0)  # twice as wide: the picture of it does not shrink
    boxes = square_boxes(keypoints, 1.5)
    assert boxes.tolist() == [[95, 40, 30], [102, 37, 30], [115, 40, 30]]


def test_pixels_are_those_of_the_frame_and_edges_repeat() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3), dtype=np.uint8)
    whole = cut(frames, np.array([[3, 4, 10], [-2, 15, 10]]))
    np.testing.assert_array_equal(whole[0], frames[0, 4:14, 3:13])
    np.testing.assert_array_equal(whole[1, :5, 2:], frames[1, 15:20, :8])
    np.testing.assert_array_equal(whole[1, :, 0], whole[1, :, 2])
    np.testing.assert_array_equal(whole[1, 5:], whole[1, 4:9][[0] * 5])


def test_enlarged_and_made_smaller_to_one_side() -> None:
    frames = np.full((1, 40, 40, 3), 90, np.uint8)
    frames[:, :, 20:] = 200
    for side in (10, 20, 60):
        piece = cut(frames, np.array([[10, 10, 20]]), side)
        assert piece.shape == (1, side, side, 3)
        assert (piece[0, side // 2, 0] == 90).all()
        assert (piece[0, side // 2, -1] == 200).all()
