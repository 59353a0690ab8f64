"""One thread per instance for drivers that block: calls come one after the other and never stop the event loop."""

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, TypeAlias, TypeVar

# Longer than the longest poll interval, so that a polled driver keeps its thread.
IDLE_SECONDS = 90.0

T = TypeVar("T")
_Task: TypeAlias = tuple[Future[Any], Callable[[], Any]]


class DriverThread:
    """Runs blocking calls one at a time. The thread is a daemon: a driver that hangs cannot keep the process from
    ending.

    A call that was given up while waiting is never started, so a hanging driver does not pile up work.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """The result of ``function(*args)``, called in the thread."""
        future: Future[T] = Future()
        context = contextvars.copy_context()
        with self._guard:
            self._tasks.put((future, partial(context.run, function, *args)))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
        return await asyncio.wrap_future(future)

    def _work(self) -> None:
        while True:
            try:
                future, call = self._tasks.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                with self._guard:
                    if self._tasks.empty():
                        self._thread = None
                        return
                continue
            if future.set_running_or_notify_cancel():
                _settle(future, call)
            # The waiting get must not keep the last call's objects alive.
            del future, call


def _settle(future: Future[Any], call: Callable[[], Any]) -> None:
    try:
        future.set_result(call())
    except Exception as error:  # noqa: BLE001 - it is handed to whoever awaits the call
        # A StopIteration cannot travel through a coroutine.
        stopped = isinstance(error, StopIteration)
        future.set_exception(RuntimeError("the driver raised StopIteration") if stopped else error)
    except BaseException as error:  # noqa: BLE001 - a driver that calls sys.exit() must not end the agent
        future.set_exception(RuntimeError(f"the driver raised {error!r}"))
