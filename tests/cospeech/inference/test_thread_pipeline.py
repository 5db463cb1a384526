import threading
import time

import pytest

from cospeech.inference.thread_pipeline import Pipeline


def test_items_come_out_in_order_through_all_parts() -> None:
    pipeline, found = Pipeline([lambda x: x + 1, lambda x: x * 10]), []
    for item in range(20):
        pipeline.put(item)
        found += pipeline.take()
    found += pipeline.finish()
    assert found == [(item + 1) * 10 for item in range(20)]


def test_parts_work_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)  # breaks unless two parts wait in it together

    def first(item: int) -> int:
        if item == 1:
            both.wait()
        return item

    def second(item: int) -> int:
        if item == 0:
            both.wait()
        return item

    pipeline = Pipeline([first, second])
    for item in (0, 1):
        pipeline.put(item)
    assert pipeline.finish() == [0, 1]


def test_who_puts_waits_for_a_slow_part() -> None:
    gate = threading.Event()

    def slow(item: int) -> int:
        gate.wait(10)
        return item

    pipeline, put = Pipeline([slow]), []

    def fill() -> None:
        for item in range(10):
            pipeline.put(item)
            put.append(item)

    filling = threading.Thread(target=fill)
    filling.start()
    time.sleep(0.3)
    assert len(put) <= 2
    gate.set()
    filling.join()
    assert pipeline.finish() == list(range(10))


def test_what_is_done_is_had_at_once_though_the_first_part_is_busy() -> None:
    gates = threading.Event(), threading.Event()

    def first(item: int) -> int:
        if item == 1:
            gates[0].wait(10)
        return item

    def second(item: int) -> int:
        gates[1].wait(10)
        return item

    pipeline = Pipeline([first, second])
    filling = threading.Thread(target=lambda: [pipeline.put(item) for item in range(5)])
    filling.start()
    filling.join(0.3)
    assert filling.is_alive()  # four are under way
    gates[1].set()
    filling.join(5)
    assert pipeline.take() == [0]
    gates[0].set()
    assert pipeline.finish() == [1, 2, 3, 4]


def test_an_error_reaches_who_takes_and_ends_the_threads() -> None:
    def fails(item: int) -> float:
        return 1 / item

    pipeline = Pipeline([lambda x: x, fails, lambda x: x])
    pipeline.put(0)
    with pytest.raises(ZeroDivisionError):
        pipeline.finish()
    pipeline.stop()
    assert not [thread for thread in pipeline._threads if thread.is_alive()]


def test_stopping_drops_what_is_under_way() -> None:
    pipeline = Pipeline([lambda x: x, lambda x: time.sleep(0.05)])
    for item in range(3):
        pipeline.put(item)
    pipeline.stop()
    assert not [thread for thread in pipeline._threads if thread.is_alive()]
