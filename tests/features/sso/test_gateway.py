"""The conversation with a provider: what an honest one says is believed, whatever a wicked one says is not."""

import secrets
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from webmacs.core.errors import Misconfigured, Rejected, Upstream
from webmacs.gateways.oidc import KEEP, LOGOUT_EVENT, REFETCH, Client

STATE, NONCE, VERIFIER = "state-of-a-browser", "nonce-of-a-browser", "verifier-" * 8


def flow(client, wicked, nonce=NONCE):
    """Sign in there; the tokens."""
    back = wicked.visit(client.authorization_url(STATE, nonce, VERIFIER))
    return client.exchange(back["code"], VERIFIER, NONCE)


def test_the_honest_flow_brings_the_subject_and_the_userinfo(client, wicked):
    tokens = flow(client, wicked)
    assert tokens.claims["sub"] == "4711"
    assert client.userinfo(tokens.access_token, "4711")["email"] == "grace@lab.example"


def test_the_address_of_the_sign_in_holds_everything_but_the_verifier(client):
    asked = parse_qs(urlsplit(client.authorization_url(STATE, NONCE, VERIFIER)).query)
    assert asked["response_type"] == ["code"]
    assert asked["scope"] == ["openid email profile"]
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["code_challenge"][0]) == 43
    assert VERIFIER not in str(asked)
    assert (asked["state"], asked["nonce"]) == ([STATE], [NONCE])


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another client"},
        {"aud": []},
        {"aud": ["webmacs", "another"]},  # several need an azp
        {"aud": ["webmacs", "another"], "azp": "another"},
        {"azp": "another"},
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"exp": "soon"},
        {"iat": 4_000_000_000},
        {"iat": None},
        {"nbf": 4_000_000_000},
        {"nonce": "of another browser"},
        {"nonce": None},
        {"at_hash": "bm90IHRoZSBoYXNoIG9m"},
        {"at_hash": 5},
    ],
    ids=str,
)
def test_an_id_token_with_wrong_claims_is_refused(client, wicked, claims):
    wicked.wish(claims=claims)
    with pytest.raises(Upstream, match="exchange"):
        flow(client, wicked)


@pytest.mark.parametrize("signs", ["none", "HS256", "stranger"])
def test_an_id_token_that_no_key_of_the_provider_signed_is_refused(client, wicked, signs):
    wicked.wish(signs=signs)
    with pytest.raises(Upstream, match="exchange"):
        flow(client, wicked)


def test_an_algorithm_that_is_not_allowed_is_refused(described, wicked):
    with pytest.raises(Upstream):
        flow(Client(described(allowed_algorithms="ES256")), wicked)


def test_several_audiences_with_our_azp_and_a_clock_that_differs_a_little_are_fine(client, wicked):
    now = int(time.time())
    wicked.wish(claims={"aud": ["webmacs", "another"], "azp": "webmacs", "iat": now + 30, "exp": now - 30})
    assert flow(client, wicked).claims["sub"] == "4711"


def test_a_key_without_an_id_is_found(client, wicked):
    wicked.wish(kid=False)
    assert flow(client, wicked).claims["sub"] == "4711"


@pytest.mark.parametrize("subject", [None, "", 7, "x" * 256])
def test_without_a_subject_nobody_came(client, wicked, subject):
    wicked.wish(claims={"sub": subject})
    with pytest.raises(Rejected, match="subject"):
        flow(client, wicked)


def test_keys_are_kept_and_looked_for_again_when_they_changed(described, wicked):
    seconds = 0.0
    client = Client(described(), now=lambda: seconds)
    flow(client, wicked)
    flow(client, wicked)
    assert wicked.asked.count("/keys") == 1
    wicked.rotate()
    assert flow(client, wicked).claims["sub"] == "4711"
    assert wicked.asked.count("/keys") == 2


def test_unknown_keys_are_looked_for_once_a_minute_at_most(described, wicked):
    seconds = 0.0
    client = Client(described(), now=lambda: seconds)
    flow(client, wicked)
    wicked.wish(signs="stranger")
    for _ in range(3):
        with pytest.raises(Upstream):
            flow(client, wicked)
    assert wicked.asked.count("/keys") == 1
    seconds += REFETCH
    with pytest.raises(Upstream):
        flow(client, wicked)
    assert wicked.asked.count("/keys") == 2


def test_the_discovery_document_is_kept_for_an_hour(described, wicked):
    seconds = 0.0
    client = Client(described(), now=lambda: seconds)
    for at in (0.0, KEEP - 1, KEEP, KEEP + 1):
        seconds = at
        client.metadata()
    assert wicked.asked.count("/.well-known/openid-configuration") == 2


@pytest.mark.parametrize(
    "wish",
    [
        {"status": {"/.well-known/openid-configuration": 500}},
        {"status": {"/.well-known/openid-configuration": 302}},
        {"body": {"/.well-known/openid-configuration": "<html>"}},
        {"body": {"/.well-known/openid-configuration": "[]"}},
        {"body": {"/.well-known/openid-configuration": '{"issuer": "' + "x" * 2_000_000 + '"}'}},
        {"metadata": {"issuer": "https://elsewhere.example"}},
        {"metadata": {"authorization_endpoint": None}},
        {"metadata": {"authorization_endpoint": "javascript:alert(1)"}},
        {"delay": {"/.well-known/openid-configuration": 5}},
    ],
    ids=lambda wish: str(wish)[:60],
)
def test_a_discovery_document_that_cannot_be_used_is_told(client, wicked, wish):
    wicked.wish(**wish)
    began = time.monotonic()
    with pytest.raises(Upstream, match="discovery"):
        client.authorization_url(STATE, NONCE, VERIFIER)
    assert time.monotonic() - began < 4


def test_a_provider_that_is_not_there_is_told(described):
    with pytest.raises(Upstream, match="discovery"):
        Client(described(issuer_url="http://127.0.0.1:9")).metadata()


@pytest.mark.parametrize(("field", "variable"), [("issuer_url", "OIDC_ISSUER_URL"), ("client_id", "OIDC_CLIENT_ID")])
def test_what_the_settings_lack_is_named(described, field, variable):
    with pytest.raises(Misconfigured, match=variable):
        Client(described(**{field: ""})).metadata()


def test_endpoints_must_not_be_weaker_than_the_issuer(described, wicked):
    client = Client(described())
    client.metadata()
    client.provider = described(issuer_url="https://login.example")
    with pytest.raises(Upstream):
        client.endpoint("token_endpoint", "exchange")


@pytest.mark.parametrize(
    "wish",
    [
        {"status": {"/token": 400}},
        {"status": {"/token": 500}},
        {"body": {"/token": "no JSON"}},
        {"body": {"/token": '{"access_token": "x"}'}},
        {"body": {"/token": '{"access_token": "x", "id_token": "x.y.z"}'}},
        {"body": {"/token": '{"access_token": "x", "id_token": 7}'}},
        {"delay": {"/token": 5}},
        {"metadata": {"token_endpoint": None}},
        {"metadata": {"jwks_uri": None}},
        {"status": {"/keys": 500}},
        {"body": {"/keys": '{"keys": 5}'}},
    ],
    ids=str,
)
def test_an_exchange_that_fails_is_told(client, wicked, wish):
    wicked.wish(**wish)
    with pytest.raises(Upstream, match="exchange"):
        flow(client, wicked)


def test_a_code_is_not_exchanged_twice_nor_with_another_verifier(client, wicked):
    back = wicked.visit(client.authorization_url(STATE, NONCE, VERIFIER))
    with pytest.raises(Upstream, match="exchange"):
        client.exchange(back["code"], VERIFIER + "x", NONCE)
    with pytest.raises(Upstream, match="exchange"):
        client.exchange(back["code"], VERIFIER, NONCE)


def test_a_public_client_sends_its_id_and_no_secret(described, wicked):
    with pytest.raises(Upstream, match="exchange"):  # this provider wants one
        flow(Client(described(client_secret="")), wicked)


@pytest.mark.parametrize(
    "wish",
    [
        {"status": {"/userinfo": 403}},
        {"body": {"/userinfo": "eyJh.eyJz.c2ln"}},
        {"userinfo": {"sub": "another"}},
        {"metadata": {"userinfo_endpoint": None}},
        {"delay": {"/userinfo": 5}},
    ],
    ids=str,
)
def test_userinfo_that_cannot_be_had_or_is_about_another_is_told(client, wicked, wish):
    wicked.wish(**wish)
    tokens = flow(client, wicked)
    with pytest.raises(Upstream, match="userinfo"):
        client.userinfo(tokens.access_token, "4711")


def test_userinfo_without_a_subject_is_refused(client, wicked):
    wicked.wish(userinfo={"sub": None})
    tokens = flow(client, wicked)
    with pytest.raises(Rejected, match="subject"):
        client.userinfo(tokens.access_token, "4711")


# --- logout tokens ----------------------------------------------------------------------------------------------------


def logout_claims(wicked, **others):
    """The claims of an honest logout token; None takes one away."""
    now = int(time.time())
    claims = {"iss": wicked.issuer, "aud": "webmacs", "iat": now, "exp": now + 120, "sub": "4711"}
    claims |= {"jti": secrets.token_hex(8), "sid": "s1", "events": {LOGOUT_EVENT: {}}} | others
    return {name: value for name, value in claims.items() if value is not None}


@pytest.mark.parametrize("others", [{}, {"sub": None}, {"sid": None}, {"exp": None}], ids=str)
def test_an_honest_logout_token_says_whose_logins_end(client, wicked, others):
    told = client.logout(wicked.sign(logout_claims(wicked, **others)))
    expected = ("4711", "s1")
    assert (told.subject, told.sid) == tuple(
        None if name in others and others[name] is None else value
        for name, value in zip(("sub", "sid"), expected, strict=True)
    )
    assert told.issuer == wicked.issuer


@pytest.mark.parametrize(
    "others",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "another"},
        {"iat": None},
        {"iat": 1_700_000_000, "exp": None},
        {"iat": 4_000_000_000},
        {"exp": 1_700_000_000},
        {"jti": None},
        {"jti": 5},
        {"sub": None, "sid": None},
        {"sub": 5},
        {"events": None},
        {"events": {}},
        {"events": {LOGOUT_EVENT: "yes"}},
        {"events": [LOGOUT_EVENT]},
        {"nonce": "x"},
    ],
    ids=str,
)
def test_a_logout_token_with_wrong_claims_is_refused(client, wicked, others):
    with pytest.raises(Rejected, match="logout token"):
        client.logout(wicked.sign(logout_claims(wicked, **others)))


@pytest.mark.parametrize("signs", ["none", "HS256", "stranger"])
def test_a_logout_token_that_nobody_signed_is_refused(client, wicked, signs):
    with pytest.raises(Rejected, match="logout token"):
        client.logout(wicked.sign(logout_claims(wicked), signs))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é.é.é", "e30.e30.e30"])
def test_what_is_no_token_is_refused(client, token):
    with pytest.raises(Rejected, match="logout token"):
        client.logout(token)


def test_an_id_token_does_not_end_anything(client, wicked):
    with pytest.raises(Rejected, match="logout token"):
        client.logout(flow(client, wicked).id_token)
