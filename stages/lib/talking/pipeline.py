"""Parts of a job done side by side: while one thread decodes an item, another denoises the next.

torch and OpenCV let other threads run while they compute, so that parts share the cores of one process.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

_END = object()


class Pipeline:
    """Items go through all parts in order, each part in its own thread. A part that raises ends it; whoever puts or
    takes next gets the error."""

    def __init__(self, parts: Sequence[Callable[[Any], Any]], waiting: int = 1) -> None:
        """waiting: how many items may lie before each part; more of them smooth, and take memory."""
        self._queues: list[queue.Queue[Any]] = [queue.Queue(waiting) for _ in parts]
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._work, args=(index, part), daemon=True, name=f"part {index}")
            for index, part in enumerate(parts)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, item: Any) -> None:
        """Waits while the first part is behind."""
        self._hand(self._queues[0], item)
        self._check()

    def take(self) -> list[Any]:
        """What has come out since, in order; does not wait."""
        self._check()
        found = []
        while not self._done.empty():
            found.append(self._done.get())
        return found

    def finish(self) -> list[Any]:
        """Waits for all that was put; what has come out since `take`."""
        self._hand(self._queues[0], _END)
        for thread in self._threads:
            thread.join()
        return self.take()

    def stop(self) -> None:
        """Ends the threads; what is under way is dropped. Harmless when all is finished."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _work(self, index: int, part: Callable[[Any], Any]) -> None:
        following = self._queues[index + 1] if index + 1 < len(self._queues) else None
        while not self._stopped.is_set():
            try:
                item = self._queues[index].get(timeout=0.1)
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
                self._hand(following, item)
            elif item is not _END:
                self._done.put(item)
            if item is _END:
                return

    def _hand(self, target: "queue.Queue[Any]", item: Any) -> None:
        while not self._stopped.is_set():
            try:
                return target.put(item, timeout=0.1)
            except queue.Full:
                continue
        return None

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
