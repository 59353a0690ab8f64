"""Numbers that all processes count together in Redis; while that is away, each process counts for itself."""

import logging
import math
import threading
import time
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple, Protocol, TypeVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

PATIENCE = 0.25  # seconds that anybody waits for Redis
REST = 2.0  # seconds in which a Redis that did not answer is not asked again
MOST = 50_000  # numbers that a process keeps by itself
PREFIX = "count:"

T = TypeVar("T")
log = logging.getLogger(__name__)


class Lease(NamedTuple):
    """A part of a window's room, to be used up without asking again."""

    granted: int
    used: int  # by everybody, this lease included
    ends_in: float  # seconds


class Store(Protocol):
    """Where the numbers are."""

    def lease(self, key: str, wanted: int, most: int, seconds: int) -> Lease:
        """Take up to `wanted` of the room for `most` in the window of `seconds` that began with its first lease."""

    def give_back(self, key: str) -> None:
        """Return one of what was leased."""

    def climb(self, key: str, free: int, longest: int, seconds: int) -> float:
        """Count a step and return 0, or count nothing and return the seconds that are to be waited for it first.

        The first `free` steps are. From then on the one before must be 1, 2, 4 … up to `longest` seconds ago. All is
        forgotten `seconds` after the last.
        """

    def step_back(self, key: str) -> None:
        """Take back the last step."""

    def mark(self, key: str, seconds: int) -> None:
        """Remember a key for some time."""

    def is_marked(self, key: str) -> bool:
        """Whether a key is remembered."""

    def drop(self, key: str) -> None:
        """Forget a key."""


class Counters:
    """The numbers of the installation. Thread-safe; it never fails and never waits long."""

    def __init__(self, url: str | None) -> None:
        self._shared: Store | None = None if url is None else InRedis(url)
        self._own: Store = Here()
        self._rests_until = 0.0

    def ask(self, what: Callable[[Store], T]) -> T:
        """The answer of the store that is there."""
        if self._shared is not None and time.monotonic() >= self._rests_until:
            try:
                answer = what(self._shared)
            except (RedisError, OSError) as error:
                if not self._rests_until:
                    log.warning("Redis does not count at the moment, this process does: %s", error)
                self._rests_until = time.monotonic() + REST
            else:
                self._rests_until = 0.0
                return answer
        return what(self._own)


_LEASE = """
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
local granted = math.max(0, math.min(tonumber(ARGV[1]), tonumber(ARGV[2]) - used))
if granted > 0 then
  redis.call('INCRBY', KEYS[1], granted)
  if used == 0 then redis.call('EXPIRE', KEYS[1], ARGV[3]) end
end
return {granted, used + granted, redis.call('PTTL', KEYS[1])}
"""
_GIVE_BACK = "if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then redis.call('DECR', KEYS[1]) end"
_CLIMB = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local steps = tonumber(redis.call('HGET', KEYS[1], 'steps') or '0')
local free, longest = tonumber(ARGV[1]), tonumber(ARGV[2])
if steps >= free then
  local pause = math.min(longest, 2 ^ (steps - free)) * 1000
  local waited = now - tonumber(redis.call('HGET', KEYS[1], 'last'))
  if waited >= 0 and waited < pause then return pause - waited end
end
redis.call('HSET', KEYS[1], 'steps', steps + 1, 'last', now)
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 0
"""
_STEP_BACK = """
if tonumber(redis.call('HGET', KEYS[1], 'steps') or '0') > 0 then redis.call('HINCRBY', KEYS[1], 'steps', -1) end
"""


class InRedis:
    """The numbers that all processes share. Raises RedisError; waits at most `PATIENCE` for each answer."""

    def __init__(self, url: str) -> None:
        self._redis = redis = Redis.from_url(
            url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=Retry(NoBackoff(), 0)
        )
        self._lease = redis.register_script(_LEASE)
        self._give_back = redis.register_script(_GIVE_BACK)
        self._climb = redis.register_script(_CLIMB)
        self._step_back = redis.register_script(_STEP_BACK)

    def lease(self, key: str, wanted: int, most: int, seconds: int) -> Lease:
        """See `Store`."""
        granted, used, ends_in = self._lease([PREFIX + key], [wanted, most, seconds])
        return Lease(granted, used, max(0, ends_in) / 1000)

    def give_back(self, key: str) -> None:
        """See `Store`."""
        self._give_back([PREFIX + key])

    def climb(self, key: str, free: int, longest: int, seconds: int) -> float:
        """See `Store`."""
        return float(self._climb([PREFIX + key], [free, longest, seconds])) / 1000

    def step_back(self, key: str) -> None:
        """See `Store`."""
        self._step_back([PREFIX + key])

    def mark(self, key: str, seconds: int) -> None:
        """See `Store`."""
        self._redis.set(PREFIX + key, 1, ex=seconds)

    def is_marked(self, key: str) -> bool:
        """See `Store`."""
        return bool(self._redis.exists(PREFIX + key))

    def drop(self, key: str) -> None:
        """See `Store`."""
        self._redis.delete(PREFIX + key)


class Number:
    """One number and until when (time.monotonic()) it counts."""

    __slots__ = ("last", "until", "value")

    def __init__(self, until: float) -> None:
        self.value, self.last, self.until = 0, -math.inf, until


class Here:
    """The numbers of this process alone. Thread-safe, and bounded: the oldest are forgotten when there are too many."""

    def __init__(self) -> None:
        self._numbers: dict[str, Number] = {}
        self._lock = threading.Lock()

    def lease(self, key: str, wanted: int, most: int, seconds: int) -> Lease:
        """See `Store`."""
        with self._lock:
            number = self._of(key, seconds)
            granted = max(0, min(wanted, most - number.value))
            number.value += granted
            return Lease(granted, number.value, number.until - time.monotonic())

    def give_back(self, key: str) -> None:
        """See `Store`."""
        with self._lock:
            if key in self._numbers:
                self._numbers[key].value = max(0, self._numbers[key].value - 1)

    step_back = give_back

    def climb(self, key: str, free: int, longest: int, seconds: int) -> float:
        """See `Store`."""
        with self._lock:
            number, now = self._of(key, seconds), time.monotonic()
            if number.value >= free:
                pause: float = min(longest, 1 << min(number.value - free, 30)) - (now - number.last)
                if pause > 0:
                    return pause
            number.value, number.last, number.until = number.value + 1, now, now + seconds
            return 0.0

    def mark(self, key: str, seconds: int) -> None:
        """See `Store`."""
        with self._lock:
            self._of(key, seconds).value = 1

    def is_marked(self, key: str) -> bool:
        """See `Store`."""
        with self._lock:
            number = self._numbers.get(key)
            return number is not None and number.until > time.monotonic()

    def drop(self, key: str) -> None:
        """See `Store`."""
        with self._lock:
            self._numbers.pop(key, None)

    def _of(self, key: str, seconds: int) -> Number:
        now = time.monotonic()
        number = self._numbers.get(key)
        if number is not None and number.until > now:
            return number
        if len(self._numbers) >= MOST:
            self._numbers = {name: kept for name, kept in self._numbers.items() if kept.until > now}
            for name in list(islice(self._numbers, max(0, len(self._numbers) - MOST // 2))):
                del self._numbers[name]
        self._numbers[key] = number = Number(now + seconds)
        return number
