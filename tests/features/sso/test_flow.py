"""The documented endpoints: the way there and back, what is refused on it, and what it leaves behind."""

import io
import logging
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from redis import Redis
from sqlalchemy import func, select

from tests.features.sso.conftest import REDIRECT, Guest
from tests.make import Api
from webmacs.core.db import db
from webmacs.features.accounts.models import User
from webmacs.features.logs.models import LogEntry
from webmacs.features.sso.models import PutAside
from webmacs.gateways.onetime import OneTime

AWAY = "redis://127.0.0.1:9/0"


def config(app, **query):
    return Api(app).get("/api/v1/auth/sso/config", query_string=query).json


def logged(lab):
    with lab.arrival(write=False):
        return list(db.session.scalars(select(LogEntry.content).order_by(LogEntry.id)))


# --- config -----------------------------------------------------------------------------------------------------------


def test_without_settings_nothing_is_offered(app):
    assert config(app) == {"enabled": False, "provider_name": "", "authorize_url": "", "providers": []}
    for path in ("authorize", "callback?code=x&state=y"):
        answer = Api(app).get(f"/api/v1/auth/sso/{path}")
        assert (answer.status_code, answer.json) == (404, {"detail": "SSO is not enabled."})


def test_the_provider_is_offered_by_its_name(house):
    told = config(house())
    assert told["enabled"] is True
    assert (told["provider_name"], told["authorize_url"]) == ("Campus", "/api/v1/auth/sso/authorize")


def test_several_providers_are_offered_each_at_its_own_address(house, wicked):
    more = [{"key": "guests", "provider_name": "Guests", "issuer_url": wicked.issuer, "client_id": "webmacs"}]
    told = config(house(oidc_providers=more))
    assert [offer["key"] for offer in told["providers"]] == ["default", "guests"]
    assert told["providers"][1]["authorize_url"] == "/api/v1/auth/sso/authorize?provider=guests"
    assert config(house(oidc_providers=more), provider="guests")["provider_name"] == "Guests"
    assert config(house(oidc_providers=more), provider="strangers")["enabled"] is False


@pytest.mark.parametrize(
    ("setting", "variable"), [("oidc_issuer_url", "OIDC_ISSUER_URL"), ("oidc_client_id", "OIDC_CLIENT_ID")]
)
def test_incomplete_settings_are_named(house, setting, variable):
    app = house(**{setting: ""})
    for path in ("authorize", "callback?code=x&state=y"):
        answer = Api(app).get(f"/api/v1/auth/sso/{path}")
        assert answer.status_code == 500
        assert variable in answer.json["detail"]


# --- there and back ---------------------------------------------------------------------------------------------------


def test_the_way_there_is_bound_to_the_browser_and_shows_no_secret(guest):
    somebody = guest()
    answer = somebody.get("/api/v1/auth/sso/authorize")
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert asked["redirect_uri"] == [REDIRECT]
    cookie = answer.headers["Set-Cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Max-Age=600", "Path=/"):
        assert part in cookie
    assert asked["nonce"][0] not in cookie
    assert asked["state"][0] not in cookie


def test_with_https_the_cookie_is_for_this_host_alone(guest):
    cookie = guest(secure_cookies=True).get("/api/v1/auth/sso/authorize").headers["Set-Cookie"]
    assert cookie.startswith("__Host-webmacs-visit=")
    assert "Secure" in cookie


def test_somebody_unknown_comes_in(guest, lab):
    somebody = guest()
    answer = somebody.sign_in()
    assert answer.status_code == 307
    assert answer.headers["Location"].startswith("http://localhost/sso-callback?code=")
    assert "token" not in answer.headers["Location"]
    me = Guest(somebody.app, somebody.provider).me()
    assert (me["email"], me["username"], me["role"]) == ("grace@lab.example", "grace", "viewer")
    assert me["sso_provider"] == "Campus"
    assert "User 'grace' logged in via SSO (Campus)." in logged(lab)
    assert "User 'grace' logged in." not in logged(lab)


def test_a_code_counts_once(guest):
    somebody = guest()
    code = somebody.code()
    assert somebody.client.post("/api/v1/auth/sso/exchange", json={"code": code}).status_code == 200
    again = somebody.client.post("/api/v1/auth/sso/exchange", json={"code": code})
    assert (again.status_code, again.json) == (400, {"detail": "Invalid or expired code."})


@pytest.mark.parametrize("code", ["x", "x" * 64, "é"])
def test_a_code_that_was_never_given_does_not_count(guest, code):
    answer = guest().client.post("/api/v1/auth/sso/exchange", json={"code": code})
    assert (answer.status_code, answer.json) == (400, {"detail": "Invalid or expired code."})


def test_a_code_counts_for_sixty_seconds(guest, site):
    somebody = guest()
    somebody.code()
    with Redis.from_url(site.redis) as redis:
        left = [redis.ttl(key) for key in redis.scan_iter("webmacs:once:*")]
    assert any(0 < seconds <= 60 for seconds in left)


def test_redis_holds_no_code_and_nothing_readable(guest, site):
    somebody = guest()
    with Redis.from_url(site.redis, decode_responses=True) as redis:
        redis.flushdb()
        code = somebody.code()
        held = {key: redis.get(key) for key in redis.scan_iter("*once:*")}
    assert len(held) == 2  # the state that was used, and the ticket
    for secret in (code, "4711", "grace", "eyJhbGciOiJSUzI1NiI"):
        assert secret not in str(held)


def test_without_redis_the_database_keeps_the_code(guest, lab):
    somebody = guest()
    somebody.app.extensions["webmacs.onetime"] = OneTime(AWAY)
    code = somebody.code()
    with lab.arrival(write=False):
        assert db.session.scalar(select(func.count()).select_from(PutAside)) == 2
    assert somebody.client.post("/api/v1/auth/sso/exchange", json={"code": code}).status_code == 200
    assert somebody.client.post("/api/v1/auth/sso/exchange", json={"code": code}).status_code == 400


def test_a_code_that_was_put_aside_without_redis_counts_when_it_is_back(guest):
    somebody = guest()
    kept = somebody.app.extensions["webmacs.onetime"]
    somebody.app.extensions["webmacs.onetime"] = OneTime(AWAY)
    code = somebody.code()
    somebody.app.extensions["webmacs.onetime"] = kept
    assert somebody.client.post("/api/v1/auth/sso/exchange", json={"code": code}).status_code == 200


def test_whoever_was_disabled_meanwhile_gets_no_token(guest, lab):
    somebody = guest()
    code = somebody.code()
    with lab.arrival():
        user = db.session.scalar(select(User).where(User.username == "grace"))
        user.disabled_on = user.registered_on
    assert somebody.client.post("/api/v1/auth/sso/exchange", json={"code": code}).status_code == 400


# --- what is refused on the way ---------------------------------------------------------------------------------------


def test_what_is_missing_is_named_even_when_nothing_is_offered(app, house):
    for given in (app, house()):
        for query in ({}, {"code": "x"}, {"state": "x"}, {"code": "", "state": "x"}):
            answer = Api(given).get("/api/v1/auth/sso/callback", query_string=query)
            assert answer.status_code == 422
            assert {error["loc"][0] for error in answer.json["detail"]} == {"query"}


def refused(answer, status, word):
    assert answer.status_code == status, answer.text
    assert word.lower() in answer.json["detail"].lower()
    return True


def test_a_state_counts_in_the_browser_where_it_began_and_nowhere_else(guest):
    somebody, another = guest(), None
    back = somebody.provider.visit(somebody.begin())
    another = guest(somebody.app)
    refused(another.come_back(back), 400, "state")
    another.begin()
    refused(another.come_back(back), 400, "state")
    assert somebody.come_back(back).status_code == 307


def test_a_state_counts_once(guest):
    somebody = guest()
    back = somebody.provider.visit(somebody.begin())
    cookie = somebody.client.get_cookie("webmacs-visit").value
    assert somebody.come_back(back).status_code == 307
    somebody.client.set_cookie("webmacs-visit", cookie)
    refused(somebody.come_back(back), 400, "state")


def test_a_state_is_not_made_of_other_things_that_we_signed(guest, ada):
    somebody = guest()
    for state in ("garbage", ada.bearer):
        refused(somebody.come_back({"code": "x", "state": state}), 400, "state")
        somebody.client.set_cookie("webmacs-visit", state)
        refused(somebody.come_back({"code": "x", "state": state}), 400, "state")
    state = parse_qs(urlsplit(somebody.begin()).query)["state"][0]
    refused(somebody.come_back({"code": "x", "state": state[:-1] + ("A" if state[-1] != "A" else "B")}), 400, "state")


def test_a_state_expires(guest, monkeypatch):
    somebody = guest()
    back = somebody.provider.visit(somebody.begin())
    later = time.time() + 601
    monkeypatch.setattr("webmacs.gateways.sealing.time.time", lambda: later)
    refused(somebody.come_back(back), 400, "state")


def test_the_answer_of_another_provider_is_refused(guest, wicked):
    more = [{"key": "guests", "issuer_url": wicked.issuer, "client_id": "webmacs"}]
    somebody = guest(oidc_providers=more)
    back = somebody.provider.visit(somebody.begin())
    refused(somebody.come_back(back, provider="guests"), 400, "state")
    wicked.wish(iss="https://elsewhere.example")
    refused(somebody.sign_in(), 400, "state")
    wicked.wish(iss=wicked.issuer)
    assert somebody.sign_in().status_code == 307


@pytest.mark.parametrize(
    ("wish", "status", "word"),
    [
        ({"claims": {"aud": "another"}}, 502, "exchange"),
        ({"claims": {"nonce": "another"}}, 502, "exchange"),
        ({"claims": {"exp": 1_700_000_000}}, 502, "exchange"),
        ({"signs": "none"}, 502, "exchange"),
        ({"signs": "HS256"}, 502, "exchange"),
        ({"status": {"/token": 400}}, 502, "exchange"),
        ({"status": {"/userinfo": 500}}, 502, "userinfo"),
        ({"userinfo": {"sub": "another"}}, 502, "userinfo"),
        ({"userinfo": {"email": None}}, 400, "email"),
        ({"userinfo": {"email": "no address"}}, 400, "email"),
        ({"userinfo": {"sub": None}}, 400, "subject"),
        ({"claims": {"sub": None}}, 400, "subject"),
        ({"userinfo": {"email_verified": False}}, 403, "verified"),
        ({"userinfo": {"email_verified": None}}, 403, "verified"),
        ({"userinfo": {"email_verified": "yes"}}, 403, "verified"),
    ],
    ids=str,
)
def test_a_provider_that_does_wrong_lets_nobody_in(guest, wicked, lab, wish, status, word):
    somebody = guest()
    wicked.wish(**wish)
    refused(somebody.sign_in(), status, word)
    with lab.arrival(write=False):
        assert db.session.scalar(select(func.count()).select_from(User)) == 1


def test_discovery_that_fails_is_a_502_of_the_one_shape(guest, wicked):
    somebody = guest()
    wicked.wish(status={"/.well-known/openid-configuration": 500})
    refused(somebody.get("/api/v1/auth/sso/authorize"), 502, "discovery")


def test_a_browser_reads_a_refusal_as_a_page(guest, wicked):
    somebody = guest()
    wicked.wish(userinfo={"email_verified": False})
    back = wicked.visit(somebody.begin())
    answer = somebody.client.get(
        "/api/v1/auth/sso/callback", query_string=back, headers={"Sec-Fetch-Dest": "document"}, buffered=True
    )
    assert (answer.status_code, answer.mimetype) == (403, "text/html")
    assert "not verified" in answer.text


def test_an_error_of_the_provider_comes_back_to_the_sign_in_with_a_sentence(guest, wicked):
    somebody = guest()
    wicked.wish(error="access_denied")
    answer = somebody.sign_in(next="/data")
    assert answer.status_code == 307
    assert answer.headers["Location"] == "http://localhost/login?sso_error=denied&next=%2Fdata"
    page = somebody.get("/login", sso_error="denied")
    assert "denied or cancelled" in page.text
    assert "what the provider says" not in page.text


def test_the_front_end_may_be_elsewhere(guest, wicked):
    somebody = guest(oidc_frontend_url="https://front.example/")
    assert somebody.sign_in().headers["Location"].startswith("https://front.example/sso-callback?code=")
    wicked.wish(error="access_denied")
    assert somebody.sign_in().headers["Location"] == "https://front.example/login?sso_error=denied"


def test_too_many_who_wait_for_the_provider_do_not_stop_the_others(house, wicked, monkeypatch):
    app = house()
    monkeypatch.setattr("webmacs.web.arrival._calls_out", _Full())
    answer = Api(app).get("/api/v1/auth/sso/authorize")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert Api(app).get("/api/v1/auth/sso/config").status_code == 200


class _Full:
    def acquire(self, **_patience):
        return False


def test_nothing_secret_is_logged(guest, wicked, lab):
    somebody = guest(log_level="debug")
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    logging.getLogger().addHandler(handler)
    try:
        answer = somebody.get("/api/v1/auth/sso/authorize")
        cookie = answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
        back = wicked.visit(answer.headers["Location"])
        done = somebody.come_back(back)
        code = parse_qs(urlsplit(done.headers["Location"]).query)["code"][0]
        token = somebody.client.post("/api/v1/auth/sso/exchange", json={"code": code}).json["access_token"]
        wicked.wish(signs="stranger")
        assert somebody.sign_in().status_code == 502
    finally:
        logging.getLogger().removeHandler(handler)
    text = lines.getvalue() + " ".join(logged(lab))
    assert "exchange failed: no key of the provider fits its signature" in text
    for secret in (cookie, back["code"], back["state"], code, token, "a secret: with signs"):
        assert secret not in text
