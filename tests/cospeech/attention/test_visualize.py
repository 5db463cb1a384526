"""The attention picture shows what the mask says."""

import numpy as np
import torch

from cospeech.attention.plan import AttentionPlan
from cospeech.attention.visualize import attention_sheet, draw_attention, draw_regions
from cospeech.pose.regions import FACE


def test_it_is_bright_where_the_query_sees() -> None:
    region = torch.tensor([[[1, 0, 0, 2], [0, 1, 0, 0], [1, 1, 0, 0]]])
    plan = AttentionPlan(torch.tensor([[[-1, -1], [0, -1], [1, 0]]]), region)
    frames = np.full((3, 8, 8, 3), 200, np.uint8)
    picture = draw_attention(frames, plan, query=(2, 1), grid=(2, 2))
    assert picture.shape == (8, 24, 3)
    seen = picture[::4, ::4].max(-1) > 100  # one pixel a token; frames 0, 1, then the query's own
    np.testing.assert_array_equal(seen[:, :2], [[True, False], [False, False]])
    np.testing.assert_array_equal(seen[:, 2:4], [[False, True], [False, False]])
    assert (picture[:4, 20:] == 255).all()
    assert (picture[4:, 16:] == 200).all()


def test_regions_are_tinted_and_the_background_is_not() -> None:
    frame = np.full((6, 6, 3), 100, np.uint8)
    picture = draw_regions(frame, np.array([0, 1, 2, 0, 0, 0, 0, 0, 5]), (3, 3))
    changed = (picture[::2, ::2] != 100).any(-1)
    np.testing.assert_array_equal(changed, [[False, True, True], [False, False, False], [False, False, True]])
    assert len({tuple(picture[y, x]) for y, x in ((0, 2), (0, 4), (4, 4))}) == 3


def test_the_sheet_has_a_row_for_each_part_that_is_there() -> None:
    region = torch.zeros(1, 2, 9, dtype=torch.int64)
    region[0, :, 4] = FACE
    plan = AttentionPlan(torch.tensor([[[-1], [0]]]), region)
    frames = np.full((2, 6, 6, 3), 90, np.uint8)
    sheet = attention_sheet(frames, plan, frame=1, grid=(3, 3))
    assert sheet.shape == (12, 12, 3)
    assert (sheet[8:10, 8:10] == 255).all()
