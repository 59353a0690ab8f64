"""How many requests a credential, or an address without one, may send in a minute."""

import math
import threading
import time
from itertools import islice
from typing import NamedTuple

from flask import Flask, Response, current_app, g, request

from webmacs.core.errors import TooMany
from webmacs.core.identity import Actor
from webmacs.gateways.counters import Counters
from webmacs.web.arrival import identify_early
from webmacs.web.proxies import client_address, neighbourhood

WINDOW = 60  # seconds
SIGNED_IN, ANONYMOUS = 100_000, 300  # requests in a window, when the settings say nothing
PARTS = 100  # of a window's room; a process takes one part at a time, and asks Redis only then
MOST = 50_000  # senders that are kept in mind

# Never counted: the health, files that are the same for all, and values, which have a protection of their own (503)
FREE = ("/health", "/static/")
VALUES = "/api/v1/datapoints"


class Count(NamedTuple):
    """Where a sender stands."""

    is_allowed: bool
    most: int
    remaining: int
    ends_in: float  # seconds

    def headers(self) -> list[tuple[str, str]]:
        """What the answer says about it."""
        return [
            ("X-RateLimit-Limit", str(self.most)),
            ("X-RateLimit-Remaining", str(self.remaining)),
            ("X-RateLimit-Reset", str(math.ceil(time.time() + self.ends_in))),
        ]


class Stock:
    """What is left of the part of a window that this process has taken."""

    __slots__ = ("left", "most", "until", "used")

    def __init__(self, most: int, until: float) -> None:
        self.most, self.until = most, until  # until: time.monotonic()
        self.left = self.used = 0

    def count(self, *, is_allowed: bool) -> Count:
        """Where the sender stands."""
        return Count(is_allowed, self.most, max(0, self.most - self.used + self.left), self.until - time.monotonic())


class Limits:
    """Counts requests. Thread-safe."""

    def __init__(self, counters: Counters, per_minute: int | None) -> None:
        self._counters = counters
        self._signed_in = SIGNED_IN if per_minute is None else per_minute
        self._anonymous = ANONYMOUS if per_minute is None else per_minute
        self._stocks: dict[str, Stock] = {}
        self._lock = threading.Lock()

    def count(self, actor: Actor, address: str) -> Count | None:
        """Count a request, unless it is one too many; None where there is no limit."""
        most = self._most_of(actor)
        if not most:
            return None
        key = _key(actor, address)
        found = self._from_stock(key, most)
        if found is not None:
            return found
        lease = self._counters.ask(lambda store: store.lease(f"requests:{key}", max(1, most // PARTS), most, WINDOW))
        with self._lock:
            stock = self._fresh(key, most)
            if stock is None:
                self._make_room()
                stock = self._stocks[key] = Stock(most, time.monotonic() + lease.ends_in)
            stock.left += max(0, lease.granted - 1)
            stock.used = lease.used
            return stock.count(is_allowed=lease.granted > 0)

    def count_at_once(self, actor: Actor) -> tuple[Count | None, bool]:
        """Count a request if that needs nobody to be asked, and whether it did. Nothing is counted if it did not."""
        most = self._most_of(actor)
        if not most:
            return None, True
        with self._lock:
            stock = self._fresh(_key(actor, ""), most)
            if stock is None or not stock.left:
                return None, False
            stock.left -= 1
            return stock.count(is_allowed=True), True

    def _most_of(self, actor: Actor) -> int:
        if actor.is_anonymous:
            return self._anonymous
        own = actor.requests_per_minute
        return min(own, self._signed_in or own) if own else self._signed_in

    def _from_stock(self, key: str, most: int) -> Count | None:
        with self._lock:
            stock = self._fresh(key, most)
            if stock is None or not (stock.left or stock.used >= most):
                return None
            is_allowed = stock.left > 0
            stock.left -= is_allowed
            return stock.count(is_allowed=is_allowed)

    def _fresh(self, key: str, most: int) -> Stock | None:
        stock = self._stocks.get(key)
        return stock if stock is not None and stock.most == most and time.monotonic() < stock.until else None

    def _make_room(self) -> None:
        if len(self._stocks) >= MOST:  # what is forgotten was taken already: nobody gets more than their window by it
            for key in list(islice(self._stocks, MOST // 2)):
                del self._stocks[key]


def _key(actor: Actor, address: str) -> str:
    return f"address:{neighbourhood(address)}" if actor.is_anonymous else f"credential:{actor.session_id}"


def installed(app: Flask) -> Limits:
    """The one of the application."""
    limits: Limits = app.extensions["webmacs.limits"]
    return limits


def install(app: Flask, per_minute: int | None) -> None:
    """Count every request but the free ones before its view runs."""
    app.extensions["webmacs.limits"] = Limits(app.extensions["webmacs.counters"], per_minute)
    app.before_request(_count)

    @app.after_request
    def tell(response: Response) -> Response:
        count: Count | None = g.get("count")
        if count is not None:
            response.headers.update(count.headers())
        return response


def is_free(rule: str | None, method: str) -> bool:
    """Whether requests to a route (None: to no route) are not counted."""
    if rule is None:
        return False
    is_value = rule == VALUES or rule.startswith(f"{VALUES}/")
    return rule.startswith(FREE) or (is_value and method in ("GET", "HEAD", "POST"))


def _count() -> None:
    if is_free(None if request.url_rule is None else request.url_rule.rule, request.method):
        return
    g.count = count = installed(current_app).count(identify_early(), client_address())
    if count is not None and not count.is_allowed:
        seconds = max(1, math.ceil(count.ends_in))
        raise TooMany(f"Too many requests. Try again in {seconds} s.", seconds)
