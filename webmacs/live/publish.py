"""Tell the streaming processes what happened. Redis being away costs a live value, never a recorded one."""

import logging
import time
from typing import Any

import orjson
from flask import Flask, current_app
from redis.exceptions import RedisError

from webmacs.core import clock
from webmacs.core.jobs import redis_of
from webmacs.features.accounts.facts import AccessEnded
from webmacs.features.datapoints.facts import DatapointsRecorded

CHANNEL = "live:{organization_id}"
REST_AFTER_FAILURE = 2.0  # seconds; recording must not wait for a Redis that is away

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
    rest: dict[str, float] = app.extensions.setdefault("webmacs.publish_rest", {"until": 0.0})
    if time.monotonic() < rest["until"]:
        return
    try:
        redis_of(app).publish(CHANNEL.format(organization_id=organization_id), orjson.dumps(message))
    except RedisError as error:
        rest["until"] = time.monotonic() + REST_AFTER_FAILURE
        log.warning("live values are not published: Redis does not answer (%s)", error)
