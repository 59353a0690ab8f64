"""Guessing made slow: how often a secret may be tried for an account, and from an address."""

import contextlib
import hashlib
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, Response, after_this_request, current_app, request
from itsdangerous import BadData, URLSafeTimedSerializer

from webmacs.core.errors import Invalid, SecondFactorRequired, TooMany, Unauthenticated
from webmacs.core.ids import new_id
from webmacs.gateways.counters import Counters
from webmacs.web.proxies import client_address, neighbourhood

WINDOW = 900  # seconds after which failures are forgotten
FREE, LONGEST = 5, 300  # failures of an account before waiting begins; seconds that one waits at most
OF_AN_ADDRESS = 30  # failures of an address in a window
PATIENCE = 10.0  # seconds that a try waits for those of the same account that are before it
KNOWN = 180 * 86_400  # seconds that a device or an address is remembered after it signed in
MOST_ACCOUNTS = 10  # that one device is known for


@contextmanager
def guarded(
    kind: str, account: str | None, address: str | None = None, *, counts_all: bool = False
) -> Iterator["Attempt"]:
    """Around one try of a secret (`kind`: password, factor, …) for an account (None: only the address is counted).

    The try is counted before it is made, so that guesses that come together are counted as well as others. It was a
    failure when the block raises `Unauthenticated` or `Invalid` or says `fail()`, or with `counts_all` in any case; a
    block that ends well or breaks off for another reason is not counted, nor is a password that a second factor must
    follow. Raises `TooMany`, in the same way for accounts that exist and
    for others, when one has to wait. Needs a request; `address` is its sender's unless given.

    Whoever did it once is known from then on, by a cookie of the browser or else by the address, and counted apart
    from strangers: those can make each other wait, but not them.
    """
    counters: Counters = current_app.extensions["webmacs.counters"]
    where = neighbourhood(client_address() if address is None else address)
    name = None if account is None else _name(kind, account)
    with contextlib.nullcontext() if name is None else _in_turn(name):
        attempt = Attempt(counters, kind, name, where)
        attempt.begin()
        try:
            yield attempt
        except (Unauthenticated, Invalid) as refused:
            if isinstance(refused, SecondFactorRequired) and kind == "password":
                attempt.take_back()
            raise
        except BaseException:
            attempt.take_back()
            raise
        if not (counts_all or attempt.has_failed):
            attempt.succeed()


_mutex = threading.Lock()
_turns: dict[str, tuple[threading.Lock, list[None]]] = {}  # account → its lock, and as many items as there are tries


@contextmanager
def _in_turn(name: str) -> Iterator[None]:
    """One try of an account after the other in this process: several that are right need not wait for each other's end
    as if they had failed. Processes do not wait for each other; what they try together is counted together.
    """
    with _mutex:
        lock, tries = _turns.setdefault(name, (threading.Lock(), []))
        tries.append(None)
    try:
        if not lock.acquire(timeout=PATIENCE):
            raise _too_many(1)
        try:
            yield
        finally:
            lock.release()
    finally:
        with _mutex:
            tries.pop()
            if not tries:
                del _turns[name]


class Attempt:
    """One try. `account` is the name that it is counted under."""

    def __init__(self, counters: Counters, kind: str, account: str | None, where: str) -> None:
        self.has_failed = False
        self._counters = counters
        self._account = account
        self._place = f"known:{account}:{where}"
        self._from = f"failures:{kind}:{where}"
        self._device = _devices().get(account) if account is not None else None
        self._who = ""  # the device or else the address, when it is known for the account; all strangers are one
        self._steps = ""

    def fail(self) -> None:
        """The try was wrong, although nothing is raised."""
        self.has_failed = True

    def begin(self) -> None:
        """Count it, or raise `TooMany`."""
        if self._device is None:  # a device that is known cannot be locked out by its neighbours
            lease = self._counters.ask(lambda store: store.lease(self._from, 1, OF_AN_ADDRESS, WINDOW))
            if not lease.granted:
                raise _too_many(lease.ends_in)
        if self._account is None:
            return
        is_known = self._counters.ask(lambda store: store.is_marked(self._place))
        self._who = self._device or (self._place if is_known else "")
        self._steps = f"failures:{self._account}:{self._who}"
        pause = self._counters.ask(lambda store: store.climb(self._steps, FREE, LONGEST, WINDOW))
        if pause:
            self._steps = ""
            self.take_back()
            raise _too_many(pause)

    def take_back(self) -> None:
        """It was none."""
        if self._device is None:
            self._counters.ask(lambda store: store.give_back(self._from))
        if self._steps:
            self._counters.ask(lambda store: store.step_back(self._steps))

    def succeed(self) -> None:
        """It was right: what failed here before is forgiven, and who did it is known."""
        self.take_back()
        if self._account is None:
            return
        if self._who:
            self._counters.ask(lambda store: store.drop(self._steps))
        if _keeps_cookies():
            _remember_device(self._account)
        else:
            self._counters.ask(lambda store: store.mark(self._place, KNOWN))


def _too_many(seconds: float) -> TooMany:
    wait = max(1, math.ceil(seconds))
    return TooMany(f"Too many failed attempts. Try again in {wait} s.", wait)


def _name(kind: str, account: str) -> str:
    """What an account is counted under: the counters learn no address of anybody's mail."""
    return hashlib.sha256(f"{kind}:{account.strip().casefold()}".encode()).hexdigest()[:24]


# --- known devices ----------------------------------------------------------------------------------------------------


def _keeps_cookies() -> bool:
    return not request.path.startswith("/api/")


def _cookie() -> str:
    secure = current_app.config["SESSION_COOKIE_SECURE"] or request.is_secure
    return "__Host-webmacs-device" if secure else "webmacs-device"


def _signer(app: Flask) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(app.config["SECRET_KEY"], salt="webmacs known device")


def _devices() -> dict[str, str]:
    """What the browser's cookie says: account → device, the latest last."""
    try:
        found = _signer(current_app).loads(request.cookies.get(_cookie(), ""), max_age=KNOWN)
    except BadData:
        return {}
    return dict(found)


def _remember_device(account: str) -> None:
    devices = _devices()
    device = devices.pop(account, None) or new_id("dev")
    devices[account] = device
    kept = dict(list(devices.items())[-MOST_ACCOUNTS:])
    name, value = _cookie(), _signer(current_app).dumps(kept)

    @after_this_request
    def remember(response: Response) -> Response:
        secure = name.startswith("__Host-")
        response.set_cookie(name, value, max_age=KNOWN, secure=secure, httponly=True, samesite="Lax")
        return response
