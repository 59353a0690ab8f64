"""Tell the streaming processes what happened. Redis being away costs a live value, never a recorded one."""

import logging
import time
from typing import Any

import orjson
from flask import Flask, current_app
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from webmacs.core import clock
from webmacs.features.accounts.facts import AccessEnded
from webmacs.features.datapoints.facts import DatapointsRecorded

CHANNEL = "live:{organization_id}"
EVERYBODY = 0  # no organization has this number
PATIENCE = 0.25  # seconds; recording must not wait for a Redis that is away
REST_AFTER_TIMEOUT = 2.0  # seconds

log = logging.getLogger(__name__)


def values(fact: DatapointsRecorded) -> None:
    """Publish the newest value of each channel of a batch."""
    newest = {point.event_public_id: point for point in sorted(fact.points, key=lambda p: p.ts)}
    shown = [
        {"event": p.event_public_id, "value": p.value, "time": clock.iso_z(clock.from_micros(p.ts))}
        for p in newest.values()
    ]
    _publish(fact.organization_id, {"values": shown})


def access_ended(fact: AccessEnded) -> None:
    """Make the streams of a user ask again whether they may go on."""
    _publish(fact.organization_id, {"recheck": fact.user_id})


def _publish(organization_id: int, message: dict[str, Any]) -> None:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    url: str | None = app.config["REDIS_URL"]
    if url is not None:  # else nobody listens: the live view polls
        lines = app.extensions
        line: Line = lines.get("webmacs.live_line") or lines.setdefault("webmacs.live_line", Line(url))
        line.send(organization_id, message)


class Line:
    """The way to the streaming processes. It gives up at once; the queue's connections are more patient."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=Retry(NoBackoff(), 0)
        )
        self._rest_until = 0.0
        self._has_missed = False

    def send(self, organization_id: int, message: dict[str, Any]) -> None:
        """Publish if Redis answers; the first message after a failure also asks the streams to catch up."""
        if time.monotonic() < self._rest_until:
            self._has_missed = True
            return
        try:
            self._redis.publish(CHANNEL.format(organization_id=organization_id), orjson.dumps(message))
            if self._has_missed:
                self._redis.publish(CHANNEL.format(organization_id=EVERYBODY), orjson.dumps({"catch_up": True}))
                self._has_missed = False
        except RedisError as error:
            if isinstance(
                error, RedisTimeoutError
            ):  # it hangs, so do not ask it for each batch; a refusal costs nothing
                self._rest_until = time.monotonic() + REST_AFTER_TIMEOUT
            if not self._has_missed:
                log.warning("live values are not published: Redis does not answer (%s)", error)
            self._has_missed = True
