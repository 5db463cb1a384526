"""First come, first served; everyone knows their place; who gives up is no longer in the way."""

import anyio
import pytest
from anyio.abc import TaskGroup

from cospeech.serving.queue import TalkQueue

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Visitor:
    def __init__(self, queue: TalkQueue) -> None:
        self.queue, self.places = queue, list[int]()
        self.seated, self.leave, self.scope = anyio.Event(), anyio.Event(), anyio.CancelScope()

    async def tell(self, place: int) -> None:
        self.places.append(place)

    async def __call__(self) -> None:
        with self.scope:
            async with self.queue.slot(self.tell):
                self.seated.set()
                await self.leave.wait()


async def arrive(group: TaskGroup, *visitors: Visitor) -> None:
    """One after the other."""
    for visitor in visitors:
        group.start_soon(visitor)
        await anyio.wait_all_tasks_blocked()


async def test_in_turn_with_places() -> None:
    queue = TalkQueue(2, waiting=5)
    visitors = [Visitor(queue) for _ in range(5)]
    async with anyio.create_task_group() as group:
        await arrive(group, *visitors)
        assert [visitor.seated.is_set() for visitor in visitors] == [True, True, False, False, False]
        assert [visitor.places for visitor in visitors] == [[], [], [1], [2], [3]]
        assert (queue.active, queue.waiting) == (2, 3)
        visitors[1].leave.set()
        await anyio.wait_all_tasks_blocked()
        assert [visitor.places for visitor in visitors[2:]] == [[1], [2, 1], [3, 2]]
        assert visitors[2].seated.is_set()
        visitors[3].scope.cancel()
        await anyio.wait_all_tasks_blocked()
        assert visitors[4].places == [3, 2, 1]
        for visitor in visitors:
            visitor.leave.set()
        await anyio.wait_all_tasks_blocked()
        assert visitors[4].seated.is_set()
        assert not visitors[3].seated.is_set()
    assert (queue.active, queue.waiting) == (0, 0)


async def test_nobody_overtakes() -> None:
    """Whoever comes while a seat is being handed on stands behind those who wait."""
    queue = TalkQueue(1, waiting=5)
    first, second, third = (Visitor(queue) for _ in range(3))
    async with anyio.create_task_group() as group:
        await arrive(group, first, second)
        first.leave.set()
        group.start_soon(third)
        await anyio.wait_all_tasks_blocked()
        assert second.seated.is_set()
        assert not third.seated.is_set()
        second.leave.set()
        third.leave.set()


async def test_giving_up_just_when_called_hands_the_seat_on() -> None:
    queue = TalkQueue(1, waiting=5)
    first, second, third = (Visitor(queue) for _ in range(3))
    async with anyio.create_task_group() as group:
        await arrive(group, first, second, third)
        first.leave.set()
        await anyio.sleep(0)  # first leaves: second is called, but does not run yet
        second.scope.cancel()
        await anyio.wait_all_tasks_blocked()
        assert third.seated.is_set()
        third.leave.set()
    assert (queue.active, queue.waiting) == (0, 0)


async def test_a_full_line_says_so() -> None:
    queue = TalkQueue(1, waiting=1)
    visitors = [Visitor(queue) for _ in range(2)]
    async with anyio.create_task_group() as group:
        await arrive(group, *visitors)
        with pytest.raises(ValueError, match=r"1 visitors.* 1 "):
            await Visitor(queue)()
        group.cancel_scope.cancel()


def test_no_seats() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        TalkQueue(0, 3)
