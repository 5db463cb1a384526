import pytest

from cospeech.curation.split import KeptClip, assign_split, split_sizes


def clips(speakers: int, each: int) -> list[KeptClip]:
    return [KeptClip(f"s{s}-{c}", f"s{s}", None) for s in range(speakers) for c in range(each)]


def test_the_manifest_decides_where_it_speaks() -> None:
    kept = [KeptClip("a", "s", "test"), KeptClip("b", "s", "train"), KeptClip("c", "t", None)]
    assert assign_split(kept, 2) == {"a": "test", "b": "train", "c": "train"}


@pytest.mark.parametrize(
    ("speakers", "each", "every", "test"), [(16, 2, 8, 4), (20, 1, 10, 2), (3, 8, 4, 6), (1, 9, 8, 1)]
)
def test_one_in_so_many_is_held_out(speakers: int, each: int, every: int, test: int) -> None:
    assert split_sizes(assign_split(clips(speakers, each), every))["test"] == test


def test_whole_speakers_where_they_fit() -> None:
    split = assign_split(clips(16, 2), 8)
    held = {clip.split("-")[0] for clip, part in split.items() if part == "test"}
    assert not held & {clip.split("-")[0] for clip, part in split.items() if part == "train"}


def test_order_of_rows_does_not_matter() -> None:
    kept = clips(5, 3)
    assert assign_split(kept, 4) == assign_split(kept[::-1], 4)


@pytest.mark.parametrize("count", [2, 3])
def test_few_clips_still_give_both_parts(count: int) -> None:
    assert split_sizes(assign_split(clips(count, 1), 8)) == {"train": count - 1, "test": 1}
    assert split_sizes(assign_split(clips(1, count), 8)) == {"train": count - 1, "test": 1}


def test_a_single_clip_trains_unless_others_do() -> None:
    assert assign_split(clips(1, 1), 8) == {"s0-0": "train"}
    assert assign_split([*clips(1, 1), KeptClip("a", "t", "train")], 8) == {"s0-0": "test", "a": "train"}
    assert assign_split([], 8) == {}


def test_clips_without_a_speaker_stand_alone() -> None:
    kept = [KeptClip(name, None, None) for name in "abcdefgh"]
    assert split_sizes(assign_split(kept, 4)) == {"train": 6, "test": 2}
