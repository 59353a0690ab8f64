"""Whom a bearer credential stands for, remembered for some seconds: the usual request asks no database for it."""

import hashlib
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from webmacs.core import clock
from webmacs.core.identity import Actor, Recognised

FRESH = timedelta(seconds=4)  # a credential that ends without our hearing of it ends within five seconds
MOST = 10_000  # credentials


class Known(NamedTuple):
    """Whom a credential stood for when the database was asked last, by two clocks: people set one of them back."""

    recognised: Recognised
    asked: float  # time.monotonic()
    asked_on: datetime

    @property
    def is_fresh(self) -> bool:
        """Whether it can be relied on without asking again."""
        now = clock.now()
        ends = self.recognised.ends_on
        return (
            time.monotonic() - self.asked < FRESH.total_seconds()
            and timedelta() <= now - self.asked_on < FRESH
            and (ends is None or now < ends)
        )


class Credentials:
    """Remembers actors by the hash of what they showed. Thread-safe.

    `forget` drops a user's credentials at once: the process where access ended calls it, the others hear of it.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, Known] = {}
        self._forgotten = 0  # how often: what was asked before one may be stale
        self._lock = threading.Lock()

    def peek(self, credential: str) -> Actor | None:
        """The actor if memory is fresh and it does not matter from where the credential is shown."""
        known = self._known.get(_key(credential))
        is_usual = known is not None and known.is_fresh and known.recognised.networks is None
        return known.recognised.actor if known is not None and is_usual else None

    def recognise(self, credential: str, ask: Callable[[], Recognised]) -> Recognised:
        """The actor, from memory or by asking; nothing is remembered when `ask` raises."""
        known = self._known.get(_key(credential))
        if known is not None and known.is_fresh:
            return known.recognised._replace(use_is_due=False)
        before, asked, asked_on = self._forgotten, time.monotonic(), clock.now()
        found = ask()
        with self._lock:
            if before == self._forgotten:
                if len(self._known) >= MOST:
                    self._known.clear()
                self._known[_key(credential)] = Known(found, asked, asked_on)
        return found

    def forget(self, user_id: int | None = None) -> None:
        """Drop what a user's credentials stood for, or everything."""
        with self._lock:
            self._forgotten += 1
            kept = self._known.items() if user_id is not None else ()
            self._known = {key: known for key, known in kept if known.recognised.actor.user_id != user_id}


def _key(credential: str) -> bytes:
    return hashlib.sha256(credential.encode()).digest()
