from benchmarks.drift import times


def test_stretches_of_a_talk_never_overlap_and_the_last_ends_with_it() -> None:
    assert times(180) == [0, 30, 60, 90, 120, 150, 170]
    assert times(20) == [0, 10]
    assert times(45) == [0, 35]
