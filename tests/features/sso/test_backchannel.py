"""The provider ends logins: those of one session there, or all of somebody, within seconds and once for a token."""

import secrets
import time

import pytest
import werkzeug.test

from tests.features.sso.test_gateway import logout_claims
from tests.make import Api


@pytest.fixture
def say(wicked):
    """Send a logout token to an application; the answer."""

    def send(somebody, signs="RS256", **others):
        token = wicked.sign(logout_claims(wicked, **others), signs)
        provider = werkzeug.test.Client(somebody.app)  # it has no cookies of ours
        return provider.post("/api/v1/auth/sso/backchannel-logout", data={"logout_token": token})

    return send


def is_in(somebody, token):
    return Api(somebody.app, token).get("/api/v1/auth/me").status_code == 200


def test_all_logins_of_somebody_end_at_once(guest, say):
    somebody = guest()
    token = somebody.token()
    somebody.enter()
    assert is_in(somebody, token)
    answer = say(somebody, sid=None)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert not is_in(somebody, token)
    assert somebody.get("/data").status_code == 303


def test_another_process_hears_of_it_within_five_seconds(guest, house, say):
    somebody, elsewhere = guest(), guest(house())
    token = somebody.token()
    assert is_in(elsewhere, token)  # remembers it from now on
    assert say(somebody, sid=None).status_code == 200
    deadline = time.monotonic() + 5
    while is_in(elsewhere, token) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_in(elsewhere, token)


def test_one_session_there_ends_what_it_opened_and_nothing_else(guest, wicked, say):
    somebody = guest()
    wicked.wish(claims={"sid": "first"})
    first = somebody.token()
    wicked.wish(claims={"sid": "second"})
    second = somebody.token()
    assert say(somebody, sid="first", sub=None).status_code == 200
    assert [is_in(somebody, first), is_in(somebody, second)] == [False, True]


def test_a_token_for_somebody_unknown_ends_nothing(guest, say):
    somebody = guest()
    token = somebody.token()
    assert say(somebody, sub="another", sid=None).status_code == 200
    assert say(somebody, sub="another", sid="s1").status_code == 200
    assert is_in(somebody, token)


def test_a_token_counts_once(guest, say):
    somebody = guest()
    jti = secrets.token_hex(8)
    assert say(somebody, jti=jti).status_code == 200
    again = say(somebody, jti=jti)
    assert again.status_code == 400
    assert "used before" in again.json["detail"]


@pytest.mark.parametrize(
    "wrong", [{"aud": "another"}, {"iss": "https://elsewhere.example"}, {"nonce": "x"}, {"events": None}], ids=str
)
def test_a_token_that_does_not_count_ends_nothing(guest, say, wrong):
    somebody = guest()
    token = somebody.token()
    assert say(somebody, **wrong).status_code == 400
    assert is_in(somebody, token)


@pytest.mark.parametrize("signs", ["none", "HS256", "stranger"])
def test_a_token_that_the_provider_did_not_sign_ends_nothing(guest, say, signs):
    somebody = guest()
    token = somebody.token()
    assert say(somebody, signs).status_code == 400
    assert is_in(somebody, token)


@pytest.mark.parametrize("form", [{}, {"logout_token": ""}, {"logout_token": "a.b.c"}], ids=str)
def test_what_is_no_token_is_refused(guest, form):
    answer = guest().client.post("/api/v1/auth/sso/backchannel-logout", data=form)
    assert answer.status_code == 400
    assert "logout token" in answer.json["detail"]
