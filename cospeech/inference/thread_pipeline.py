"""Parts of a job done side by side: while one thread decodes an item, another denoises the next.

torch and OpenCV let other threads run while they compute, so that parts share the cores of one process.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

_END = object()
_PATIENCE = 0.1
"""Seconds after which who waits looks whether it all was stopped."""

Item = TypeVar("Item")
Made = TypeVar("Made")
Part: TypeAlias = Callable[[Any], Any]
"""Any: what the part before gives, which no type of a list of parts can tell."""


class Pipeline(Generic[Item, Made]):
    """Items go through all parts in order, each part in its own thread. A part that raises ends it; whoever puts or
    takes next gets the error."""

    def __init__(self, parts: Sequence[Part], waiting: int = 1) -> None:
        """waiting: how many items may wait for each part, in the mean; more of them smooth, and take memory."""
        self._queues: list[queue.SimpleQueue[Any]] = [queue.SimpleQueue() for _ in parts]  # as `Part`
        self._room = threading.Semaphore(len(parts) * (1 + waiting))
        self._done: queue.SimpleQueue[Made] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._work, args=(index, part), daemon=True, name=f"part {index}")
            for index, part in enumerate(parts)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, item: Item) -> None:
        """Waits while too many are under way, until one is done: whoever then takes has it at once. Waiting for the
        first part instead, it would lie until the item after it was begun."""
        while not self._stopped.is_set():
            if self._room.acquire(timeout=_PATIENCE):
                self._queues[0].put(item)
                break
        self._check()

    def take(self) -> list[Made]:
        """What has come out since, in order; does not wait."""
        self._check()
        found = []
        while not self._done.empty():
            found.append(self._done.get())
        return found

    def finish(self) -> list[Made]:
        """Waits for all that was put; what has come out since `take`."""
        self._queues[0].put(_END)
        for thread in self._threads:
            thread.join()
        return self.take()

    def stop(self) -> None:
        """Ends the threads; what is under way is dropped. Harmless when all is finished."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _work(self, index: int, part: Part) -> None:
        following = self._queues[index + 1] if index + 1 < len(self._queues) else None
        while not self._stopped.is_set():
            try:
                item = self._queues[index].get(timeout=_PATIENCE)
            except queue.Empty:
                continue
            if item is not _END:
                try:
                    item = part(item)
                except BaseException as error:  # noqa: BLE001 - raised again where results are taken
                    self._error = error
                    self._stopped.set()
                    return
            if following is not None:
                following.put(item)
            elif item is not _END:
                self._done.put(item)
                self._room.release()
            if item is _END:
                return

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
