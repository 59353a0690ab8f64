"""Guessing made slow, for accounts that exist and for others, without locking their owners out."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Blueprint, request
from redis import Redis
from werkzeug.test import Client

from webmacs.api.endpoint import endpoint
from webmacs.core.errors import Unauthenticated, Unavailable
from webmacs.core.permissions import Access
from webmacs.gateways import signing
from webmacs.gateways.counters import Counters
from webmacs.web.guard import guarded

pytestmark = pytest.mark.any_database

RIGHT, WRONG, BROKEN = "right", "wrong", "broken"


class Door:
    """Somebody at a door that asks for a secret."""

    def __init__(self, app, address="198.51.100.1", path="/try"):
        self._client = Client(app)
        self._address = address
        self._path = path

    def say(self, secret, account="ada@lab.example", kind="password"):
        """The answer to one try."""
        sent = {"secret": secret, "account": account, "kind": kind}
        return self._client.post(self._path, query_string=sent, environ_base={"REMOTE_ADDR": self._address})

    def knock(self, times, secret=WRONG, account="ada@lab.example"):
        """The statuses of several tries."""
        return [self.say(secret, account).status_code for _ in range(times)]

    @property
    def cookies(self):
        """What it left in the browser."""
        return {cookie.key: cookie for cookie in self._client._cookies.values()}


def _try(actor):
    """A view in the manner of a login."""
    with guarded(request.args["kind"], request.args["account"] or None, counts_all="all" in request.args["kind"]):
        if request.args["secret"] == BROKEN:
            raise Unavailable("The database is away.")
        if request.args["secret"] == WRONG:
            raise Unauthenticated("Invalid.")
    return {"fine": True}


@pytest.fixture(params=["redis", "alone"])
def app(request, application):
    """An application with two such doors, that counts in Redis or by itself."""
    app = application()
    if request.param == "alone":
        app.extensions["webmacs.counters"] = Counters(None)
    bp = Blueprint("doors", __name__)
    for name, path in (("page", "/try"), ("json", "/api/v1/try")):
        bp.post(path, endpoint=name)(endpoint("try", can=Access.PUBLIC, out=dict[str, bool])(_try))
    app.register_blueprint(bp)
    return app


@pytest.fixture
def later(app, site):
    """Let time pass for those who wait: `later(seconds)`."""

    def pass_by(seconds):
        counters = app.extensions["webmacs.counters"]
        if counters._shared is None:
            for number in counters._own._numbers.values():
                number.last -= seconds
            return
        redis = Redis.from_url(site.redis)
        for key in redis.keys("count:failures:*"):
            if redis.type(key) == b"hash":
                redis.hincrby(key, "last", -round(seconds * 1000))

    return pass_by


@pytest.fixture(params=["/try", "/api/v1/try"])
def path(request):
    """Outside the API a browser is remembered by a cookie, inside by its address."""
    return request.param


def test_after_five_failures_each_further_try_has_to_wait_longer(app, later, path):
    door = Door(app, path=path)
    assert door.knock(5) == [401] * 5
    for pause in (1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300):
        refused = door.say(WRONG)
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) in (pause, max(1, pause - 1))
        assert door.say(RIGHT).status_code == 429  # the right one is not even looked at
        later(pause)
        assert door.say(WRONG).status_code == 401


def test_who_has_waited_gets_in(app, later, path):
    door = Door(app, path=path)
    door.knock(5)
    later(1)
    assert door.say(RIGHT).status_code == 200


def test_accounts_that_exist_are_refused_in_the_same_words_as_others(app, ada):
    known, unknown = Door(app, path="/api/v1/try"), Door(app, "198.51.100.2", path="/api/v1/try")
    for door, account in ((known, ada.email), (unknown, "nobody@lab.example")):
        assert door.knock(7, account=account) == [401] * 5 + [429] * 2
    one, other = known.say(WRONG, ada.email), unknown.say(WRONG, "nobody@lab.example")
    assert one.json == other.json
    assert one.json["detail"].startswith("Too many failed attempts.")


def test_another_spelling_of_the_address_is_the_same_account(app):
    door = Door(app)
    spellings = ["ada@lab.example", "ADA@lab.example", " ada@lab.example", "Ada@Lab.Example"]
    assert [door.say(WRONG, spellings[n % 4]).status_code for n in range(8)] == [401] * 5 + [429] * 3


def test_many_accounts_from_one_address_are_stopped_too(app):
    door = Door(app)
    statuses = [door.say(WRONG, f"user{n}@lab.example").status_code for n in range(33)]
    assert statuses == [401] * 30 + [429] * 3
    refused = door.say(RIGHT, "somebody@lab.example")
    assert refused.status_code == 429
    assert 800 < int(refused.headers["Retry-After"]) <= 900
    assert Door(app, "198.51.100.2").say(RIGHT, "somebody@lab.example").status_code == 200


def test_many_addresses_cannot_share_the_guesses_at_one_account(app):
    statuses = [Door(app, f"198.51.100.{n}").say(WRONG).status_code for n in range(20)]
    assert statuses == [401] * 5 + [429] * 15


def test_guesses_that_come_together_are_counted_before_they_are_checked(app):
    started = threading.Barrier(12)

    def guess(_number):
        door = Door(app, path="/api/v1/try")
        started.wait()
        return door.say(WRONG).status_code

    with ThreadPoolExecutor(12) as threads:
        assert sorted(threads.map(guess, range(12))) == [401] * 5 + [429] * 7


def test_an_attacker_elsewhere_does_not_lock_out_who_was_here_before(app, path):
    owner, attacker = Door(app, "198.51.100.1", path), Door(app, "203.0.113.66", path)
    assert owner.say(RIGHT).status_code == 200
    assert attacker.knock(20)[-1] == 429
    assert owner.say(RIGHT).status_code == 200
    assert attacker.say(RIGHT).status_code == 429


def test_a_known_browser_gets_in_from_wherever_it_is(app):
    browser = Door(app)
    assert browser.say(RIGHT).status_code == 200
    Door(app, "203.0.113.66").knock(20)
    assert Door(app, "203.0.113.66").knock(30, account="others@lab.example")[-1] == 429
    browser._address = "203.0.113.66"  # it moved into the attacker's own network
    assert browser.say(RIGHT).status_code == 200


def test_a_known_browser_may_guess_no_more_than_others(app):
    browser = Door(app)
    browser.say(RIGHT)
    assert browser.knock(7) == [401] * 5 + [429] * 2


def test_being_known_for_one_account_or_one_secret_helps_with_no_other(app):
    attacker = Door(app)
    assert attacker.say(RIGHT, "mallory@lab.example").status_code == 200
    assert attacker.say(RIGHT, "ada@lab.example", "password").status_code == 200
    assert [attacker.say(WRONG, kind="factor").status_code for _ in range(7)] == [401] * 5 + [429] * 2
    fresh = Door(app, "198.51.100.2")  # a new device for each guess is no way round it
    assert fresh.say(RIGHT).status_code == 200
    assert fresh.say(WRONG, kind="factor").status_code == 429


def test_a_cookie_that_nobody_signed_is_nobody_s(app):
    browser = Door(app)
    browser.say(RIGHT)
    cookie = browser.cookies["webmacs-device"]
    Door(app, "203.0.113.66").knock(20)
    stranger = Door(app, "203.0.113.67")
    stranger._client.set_cookie("webmacs-device", cookie.value[:-2] + "AA")
    assert stranger.say(RIGHT).status_code == 429


def test_the_cookie_tells_no_script_and_no_name(app):
    browser = Door(app)
    browser.say(RIGHT)
    cookie = browser.cookies["webmacs-device"]
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert "ada" not in cookie.value
    assert "webmacs-device" not in Door(app, path="/api/v1/try").cookies


def test_success_forgives_the_failures_of_that_place_only(app):
    owner, stranger = Door(app), Door(app, "198.51.100.2")
    assert owner.say(RIGHT).status_code == 200
    assert stranger.knock(5) == [401] * 5
    assert owner.knock(4) == [401] * 4
    assert owner.say(RIGHT).status_code == 200
    assert owner.knock(6) == [401] * 5 + [429]
    assert stranger.say(WRONG).status_code == 429


def test_what_was_no_try_is_not_counted(app, path):
    door = Door(app, path=path)
    assert door.knock(40, BROKEN) == [503] * 40
    assert door.knock(40, RIGHT) == [200] * 40
    assert door.knock(6) == [401] * 5 + [429]


def test_where_every_try_counts_success_does_too(app):
    door = Door(app)
    assert [door.say(RIGHT, kind="all").status_code for _ in range(7)] == [200] * 5 + [429] * 2


def test_without_an_account_the_address_alone_is_counted(app):
    door = Door(app)
    assert door.knock(32, account="") == [401] * 30 + [429] * 2
    assert Door(app, "198.51.100.2").knock(1, account="") == [401]


def test_a_redis_that_is_away_makes_nobody_wait_and_nothing_unlimited(application, app):
    app.extensions["webmacs.counters"] = Counters("redis://127.0.0.1:9/0")
    began = time.monotonic()
    assert Door(app).knock(7) == [401] * 5 + [429] * 2
    assert time.monotonic() - began < 5


# --- the price of a password ------------------------------------------------------------------------------------------


def test_a_flood_of_passwords_is_refused_before_it_holds_every_thread(monkeypatch):
    entered, leave = threading.Semaphore(0), threading.Event()

    class Slow:
        def verify(self, _hash, _password):
            entered.release()
            leave.wait(20)
            return True

    monkeypatch.setattr(signing, "_hasher", Slow())
    with ThreadPoolExecutor(signing.PLACES) as threads:
        busy = [threads.submit(signing.verify_password, "x", "hash") for _ in range(signing.PLACES)]
        assert entered.acquire(timeout=10)
        deadline = time.monotonic() + 10
        while signing._places._value:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with pytest.raises(Unavailable):
            signing.verify_password("x", "hash")
        leave.set()
        assert all(one.result(10) for one in busy)
    assert signing.verify_password("x", "hash")


def test_no_more_passwords_are_computed_at_once_than_there_are_processors(monkeypatch):
    at_once, most, lock = 0, 0, threading.Lock()
    real = signing._hasher

    class Watched:
        def hash(self, password):
            nonlocal at_once, most
            with lock:
                at_once += 1
                most = max(most, at_once)
            try:
                return real.hash(password)
            finally:
                with lock:
                    at_once -= 1

    monkeypatch.setattr(signing, "_hasher", Watched())
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(signing.hash_password, ["same"] * 8))) == 8
    assert most <= signing._computing._initial_value
