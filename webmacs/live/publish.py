"""Tell the open streams what happened. Losing Redis costs other processes a live value, never a recorded one."""

import logging
import secrets
import threading
import time
from collections import deque
from typing import Any

import orjson
from flask import Flask
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from webmacs.core.jobs import this_app
from webmacs.features.accounts.facts import AccessEnded
from webmacs.features.datapoints.facts import DatapointsRecorded
from webmacs.features.events.facts import EventsChanged
from webmacs.live.announcer import Announcer
from webmacs.live.hub import CHANNEL, EVERYBODY, Hub

PATIENCE = 0.25  # seconds; nobody waits longer for a Redis that is away
REST_AFTER_TIMEOUT = 2.0  # seconds
MOST_WAITING = 1_000  # messages

log = logging.getLogger(__name__)


def values(fact: DatapointsRecorded) -> None:
    """Announce a recorded batch."""
    voice().announcer.offer(fact)


def access_ended(fact: AccessEnded) -> None:
    """Make the streams of a user ask again whether they may go on, and every process forget the user's credentials."""
    voice().say(fact.organization_id, {"recheck": fact.user_id})


def channels_changed(fact: EventsChanged) -> None:
    """Make every process read the channels again."""
    voice().say(fact.organization_id, {"channels": True})


def voice() -> "Voice":
    """The application's way to the streams, made when it is first needed."""
    app = this_app()
    found: Voice | None = app.extensions.get("webmacs.voice")
    if found is None:
        found = app.extensions.setdefault("webmacs.voice", Voice(app))
    return found


class Voice:
    """Reaches the streams of this process at once, and those of the others through Redis by a thread of its own."""

    def __init__(self, app: Flask) -> None:
        url: str | None = app.config["REDIS_URL"]
        self.announcer = Announcer(app, self.say)
        self.hub: Hub | None = None  # the server sets it; a worker has no streams
        self._line = Line(url) if url is not None else None
        self._name = secrets.token_hex(8)

    def attach(self, hub: Hub) -> None:
        """Speak to the streams of this process directly; what comes back from Redis with our name is old news."""
        self.hub, hub.own_name = hub, self._name

    def say(self, organization_id: int, message: dict[str, Any]) -> None:
        """Send a message to the streams of an organization, wherever they are. Never waits."""
        if self.hub is not None:
            self.hub.post(organization_id, message)
        if self._line is not None:
            self._line.send(organization_id, {**message, "from": self._name})


class Line(threading.Thread):
    """The way to the other processes. It gives up at once; the queue's connections are more patient."""

    def __init__(self, url: str) -> None:
        super().__init__(name="live-line", daemon=True)
        self._redis = Redis.from_url(
            url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=Retry(NoBackoff(), 0)
        )
        self._waiting: deque[tuple[int, dict[str, Any]]] = deque(maxlen=MOST_WAITING)
        self._ring = threading.Event()
        self._starting = threading.Lock()
        self._rest_until = 0.0
        self._has_missed = False

    def send(self, organization_id: int, message: dict[str, Any]) -> None:
        """Leave a message for the thread."""
        self._has_missed |= len(self._waiting) == MOST_WAITING
        self._waiting.append((organization_id, message))
        with self._starting:
            if self.ident is None:
                self.start()
        self._ring.set()

    def run(self) -> None:
        """Publish what waits."""
        while True:
            self._ring.wait()
            self._ring.clear()
            while self._waiting:
                self._publish(*self._waiting.popleft())

    def _publish(self, organization_id: int, message: dict[str, Any]) -> None:
        """Publish if Redis answers; the first message after a failure also asks the streams to catch up."""
        if time.monotonic() < self._rest_until:
            self._has_missed = True
            return
        try:
            self._redis.publish(CHANNEL.format(organization_id=organization_id), orjson.dumps(message))
            if self._has_missed:
                self._has_missed = False
                self._redis.publish(CHANNEL.format(organization_id=EVERYBODY), orjson.dumps({"catch_up": True}))
        except RedisError as error:
            if isinstance(error, RedisTimeoutError):  # it hangs: do not ask it for each batch; a refusal costs nothing
                self._rest_until = time.monotonic() + REST_AFTER_TIMEOUT
            if not self._has_missed:
                log.warning("other processes do not get live values: Redis does not answer (%s)", error)
            self._has_missed = True
