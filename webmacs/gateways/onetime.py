"""Things for one use, put aside in Redis; it says so when Redis is away, and the caller keeps them elsewhere."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

PATIENCE = 0.5  # seconds; nobody waits longer for a Redis that is away
PREFIX = "webmacs:once:"

T = TypeVar("T")
log = logging.getLogger(__name__)


class AwayError(Exception):
    """Redis does not answer."""


class OneTime:
    """Keeps a text under a name until it is taken, at most for its lifetime."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )

    def put(self, name: str, content: str, lifetime: timedelta) -> bool:
        """Keep `content`; False when the name is in use. Raises `AwayError`."""
        return bool(self._ask(lambda: self._redis.set(PREFIX + name, content, ex=lifetime, nx=True)))

    def take(self, name: str) -> str | None:
        """What is kept under the name, to whoever asks first. Raises `AwayError`."""
        found = self._ask(lambda: self._redis.getdel(PREFIX + name))
        return found if isinstance(found, str) else None

    def _ask(self, question: Callable[[], T]) -> T:
        try:
            return question()
        except RedisError as error:
            log.warning("Redis does not answer, the database is used instead: %s", type(error).__name__)
            raise AwayError from None
