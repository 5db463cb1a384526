"""Executors over a Dask or Ray cluster that runs already: the same `concurrent.futures.Executor` as the local pool.

Workers need this project's environment and the project folder under the same path (a shared file system): a job names
files, and its result goes into the clip store there.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from cospeech.harness.process_pool import process_pool

CONNECT_SECONDS = 20.0
DASK, RAY = ("tcp://", "tls://", "ucx://", "ws://", "wss://"), ("ray://", "ray:")


def open_executor(cluster: str | None, workers: int) -> Executor:
    """A pool of local processes; on the cluster at this address if there is one.

    cluster: tcp://host:8786 (a Dask scheduler), ray://host:10001 (a Ray cluster), ray:auto (the Ray cluster that this
    machine belongs to).

    Raises:
        ValueError: an address of another kind, a package that is not installed, or nobody there.
    """
    if cluster is None:
        return process_pool(workers)
    if cluster.startswith(DASK):
        return _DaskExecutor(cluster)
    if cluster.startswith(RAY):
        return _RayExecutor(cluster)
    raise ValueError(
        f"compute.cluster is {cluster!r}; it must be a Dask scheduler (tcp://host:8786) or a Ray cluster "
        "(ray://host:10001, ray:auto)"
    )


class _ClusterExecutor(Executor):
    """Leaves what it submitted behind neither when the work is done nor when this process is told to end."""

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: Any) -> bool | None:
        self.shutdown(wait=kind is None or issubclass(kind, Exception), cancel_futures=kind is not None)
        return None


class _DaskExecutor(_ClusterExecutor):
    """A task whose worker died goes to another worker, by Dask's own rule (up to `allowed-failures` times, 3)."""

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError as error:
            raise ValueError("compute.cluster names a Dask scheduler; install it: pip install -e '.[dask]'") from error
        try:
            self._client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except OSError as error:
            raise ValueError(f"compute.cluster: no Dask scheduler answers at {address} ({error})") from error
        self._inner = self._client.get_executor(pure=False)

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        future: Future = self._inner.submit(function, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._inner.shutdown(wait=wait and not cancel_futures)
        self._client.close()


class _RayExecutor(_ClusterExecutor):
    """A task whose worker died runs again, up to RETRIES times."""

    RETRIES = 3

    def __init__(self, address: str) -> None:
        try:
            import ray
        except ImportError as error:
            raise ValueError("compute.cluster names a Ray cluster; install it: pip install -e '.[ray]'") from error
        self._ray = ray
        try:
            place = "auto" if address == "ray:auto" else address
            self._context = ray.init(
                address=place, ignore_reinit_error=True, log_to_driver=False, logging_level=logging.ERROR
            )
        except (ConnectionError, TimeoutError, RuntimeError) as error:
            raise ValueError(f"compute.cluster: no Ray cluster answers at {address} ({error})") from error
        self._remote = ray.remote(max_retries=self.RETRIES, num_cpus=1)(_settled)
        self._pending: dict[Any, Future] = {}
        self._lock = threading.Lock()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        outer: Future = Future()
        outer.set_running_or_notify_cancel()
        reference = self._remote.remote(function, args, kwargs)
        with self._lock:
            self._pending[reference] = outer
        reference.future().add_done_callback(lambda inner: self._hand_on(reference, inner, outer))
        return outer

    def _hand_on(self, reference: Any, inner: Future, outer: Future) -> None:
        with self._lock:
            self._pending.pop(reference, None)
        lost = inner.exception()
        if lost is not None:
            outer.set_exception(lost)
            return
        result, error = inner.result()
        if error is None:
            outer.set_result(result)
        else:
            outer.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._lock:
            pending = dict(self._pending)
        for reference, future in pending.items():
            if cancel_futures:
                self._ray.cancel(reference, force=True)
            elif wait:
                future.exception()


def _settled(function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, Exception | None]:
    """On the worker: the exception itself comes back, not Ray's wrapping of it."""
    try:
        return function(*args, **kwargs), None
    except Exception as error:  # noqa: BLE001 - raised again where the result is asked for
        return None, error
