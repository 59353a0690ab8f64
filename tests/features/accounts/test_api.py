"""Signing in and out by JSON, and who a credential stands for."""

import base64
import json
import re
import statistics
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import select

from tests.conftest import SECRET
from tests.make import PASSWORD, Api
from webmacs.core import clock
from webmacs.core.db import db
from webmacs.core.identity import Role
from webmacs.features.tokens import operations as tokens
from webmacs.gateways.signing import signer

LOGIN, LOGOUT, ME = "/api/v1/auth/login", "/api/v1/auth/logout", "/api/v1/auth/me"


def _sign_in(client, email, password=PASSWORD):
    return client.post(LOGIN, {"email": email, "password": password})


def test_the_right_password_opens_the_door(ada, client_as):
    answer = _sign_in(client_as(None), ada.email)
    assert answer.status_code == 200
    assert answer.json["access_token"].count(".") == 2
    assert {name: value for name, value in answer.json.items() if name != "access_token"} == {
        "status": "success",
        "message": "Successfully logged in.",
        "public_id": ada.public_id,
        "username": "ada",
    }
    assert "Set-Cookie" not in answer.headers


def test_a_token_of_the_login_tells_who_one_is(ada, client_as, app):
    token = _sign_in(client_as(None), ada.email).json["access_token"]
    me = Api(app, token).get(ME)
    assert me.status_code == 200
    assert {name: me.json[name] for name in ("public_id", "email", "username", "role", "admin", "sso_provider")} == {
        "public_id": ada.public_id,
        "email": ada.email,
        "username": "ada",
        "role": "admin",
        "admin": True,
        "sso_provider": None,
    }
    assert me.json["created_on"] == me.json["registered_on"]
    assert me.json["created_on"].endswith("Z")
    assert "password" not in me.get_data(as_text=True)


@pytest.mark.parametrize("address", ["ADA@lab.example", " ada@lab.example ", "Ada@LAB.example"])
def test_the_case_of_an_address_does_not_matter(ada, client_as, address):
    assert _sign_in(client_as(None), address).status_code == 200


@pytest.mark.parametrize("address", ["admin@webmacs.local", "a@localhost", "x@192.168.1.2", "ü@müller.example"])
def test_addresses_of_a_laboratory_are_addresses(lab, ada, client_as, address):
    user = {"email": address, "username": "new", "password": PASSWORD}
    assert client_as(ada).post("/api/v1/users", user).status_code == 201
    assert _sign_in(client_as(None), address).status_code == 200


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(ada, client_as):
    wrong = _sign_in(client_as(None), ada.email, "wrong password")
    unknown = _sign_in(client_as(None), "nobody@lab.example")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json == unknown.json == {"detail": "Invalid email or password."}
    assert set(wrong.headers.keys()) == set(unknown.headers.keys())


def test_a_wrong_password_and_an_unknown_address_take_the_same_time(ada, client_as):
    client, taken = client_as(None), {"known": [], "unknown": []}
    for _ in range(9):
        for who, address in (("known", ada.email), ("unknown", "nobody@lab.example")):
            begin = time.perf_counter()
            _sign_in(client, address, "wrong password")
            taken[who].append(time.perf_counter() - begin)
    known, unknown = statistics.median(taken["known"]), statistics.median(taken["unknown"])
    assert 0.4 < unknown / known < 2.5


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "email"),
        ({"email": "ada@lab.example"}, "password"),
        ({"email": "ada@lab.example", "password": ""}, "password"),
        ({"email": "no address", "password": "x"}, "email"),
        ({"email": "a@b@c", "password": "x"}, "email"),
        ({"email": "@lab.example", "password": "x"}, "email"),
        ({"email": "", "password": "x"}, "email"),
        ({"email": None, "password": "x"}, "email"),
        ({"email": "ada@lab.example", "password": 5}, "password"),
        ({"email": "ada@lab.example", "password": "x" * 1025}, "password"),
    ],
)
def test_a_login_that_does_not_fit_is_refused_on_the_field(client_as, body, field):
    answer = client_as(None).post(LOGIN, body)
    assert answer.status_code == 422
    assert ["body", field] in [item["loc"] for item in answer.json["detail"]]


def test_a_very_long_password_signs_in(lab, ada, client_as):
    password = "long enough " * 10 + "ü"
    user = {"email": "long@lab.example", "username": "long", "password": password}
    assert client_as(ada).post("/api/v1/users", user).status_code == 201
    assert _sign_in(client_as(None), "long@lab.example", password).status_code == 200
    assert _sign_in(client_as(None), "long@lab.example", password[:72]).status_code == 401


def test_a_login_is_written_into_the_log_book(ada, client_as):
    _sign_in(client_as(None), ada.email)
    entry = client_as(ada).get("/api/v1/logging").json["data"][0]
    assert entry["content"] == "User 'ada' logged in."
    assert (entry["logging_type"], entry["user_public_id"]) == ("info", ada.public_id)


def test_two_logins_at_the_same_second_are_two(ada, client_as, app):
    with time_machine.travel(clock.now(), tick=False):
        first, second = (_sign_in(client_as(None), ada.email).json["access_token"] for _ in range(2))
        assert first != second
        assert Api(app, first).post(LOGOUT).json == {
            "status": "success",
            "message": "Successfully logged out.",
            "public_id": None,
        }
        assert Api(app, first).get(ME).status_code == 401
        assert Api(app, second).get(ME).status_code == 200


def test_after_the_logout_the_token_is_revoked(vera, client_as):
    client = client_as(vera)
    assert client.post(LOGOUT).status_code == 200
    for answer in (client.get(ME), client.post(LOGOUT), client.get("/api/v1/events")):
        assert answer.status_code == 401
        assert answer.json == {"detail": "Token has been revoked."}


def test_a_login_ends_after_its_lifetime(ada, client_as, app):
    token = _sign_in(client_as(None), ada.email).json["access_token"]
    with time_machine.travel(clock.now() + timedelta(minutes=1439), tick=False):
        assert Api(app, token).get(ME).status_code == 200
    with time_machine.travel(clock.now() + timedelta(minutes=1441), tick=False):
        assert Api(app, token).get(ME).json == {"detail": "Invalid or expired token."}


def test_the_token_says_what_is_documented_and_nothing_internal(ada, client_as):
    token = _sign_in(client_as(None), ada.email).json["access_token"]
    claims = signer.read(token)
    assert claims is not None
    assert set(claims) == {"iss", "sub", "jti", "iat", "exp", "role"}
    assert (claims["sub"], claims["role"]) == (ada.public_id, "admin")
    assert claims["exp"] - claims["iat"] == 86_400


def test_a_token_that_others_signed_opens_nothing(ada, app):
    claims = signer.read(ada.bearer)
    for key in ("k" * 32, SECRET):  # also not with the secret itself: what signs is derived from it
        forged = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(key))
        assert Api(app, forged).get(ME).json == {"detail": "Invalid or expired token."}


def test_a_token_whose_role_was_raised_opens_nothing(vera, app):
    head, body, signature = vera.bearer.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    raised = base64.urlsafe_b64encode(json.dumps(claims | {"role": "admin"}).encode()).decode().rstrip("=")
    assert Api(app, f"{head}.{raised}.{signature}").get(ME).status_code == 401


def test_the_role_of_the_moment_counts_not_the_one_in_the_token(lab, ada, oscar, client_as):
    assert client_as(oscar).post("/api/v1/experiments", {"name": "Run"}).status_code == 201
    _, token = lab.token(oscar)
    client_as(ada).put(f"/api/v1/users/{oscar.public_id}", {"role": "viewer"})
    by_token = client_as(None)
    by_token.bearer = token
    assert by_token.post("/api/v1/experiments", {"name": "Run 2"}).status_code == 403
    assert client_as(oscar).get(ME).json == {"detail": "Token has been revoked."}


def test_the_scheme_word_is_read_in_any_case(ada, app):
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert Api(app).get(ME, headers={"Authorization": f"{scheme} {ada.bearer}"}).status_code == 200
    assert Api(app).get(ME, headers={"Authorization": f"Token {ada.bearer}"}).json == {
        "detail": "Authentication required."
    }


def test_a_credential_in_the_address_is_no_credential(ada, app):
    for name in ("token", "access_token", "jwt"):
        assert Api(app).get(ME, query_string={name: ada.bearer}).status_code == 401


def test_a_bearer_credential_counts_before_the_cookie(ada, vera, browser_as):
    answer = browser_as(ada).send("GET", ME, headers={"Authorization": f"Bearer {vera.bearer}"})
    assert answer.json["username"] == "vera"
    spoiled = browser_as(ada).send("GET", ME, headers={"Authorization": "Bearer wm_wrong"})
    assert spoiled.json == {"detail": "Invalid API token."}


def test_a_deleted_user_is_signed_out(ada, vera, client_as):
    assert client_as(ada).delete(f"/api/v1/users/{vera.public_id}").status_code == 200
    assert client_as(vera).get(ME).json == {"detail": "User not found."}


def test_many_can_sign_in_at_once(app, ada):
    statuses = []

    def sign_in():
        statuses.append(_sign_in(Api(app), ada.email).status_code)

    threads = [threading.Thread(target=sign_in) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 8


# --- API tokens -------------------------------------------------------------------------------------------------------

TOKENS = "/api/v1/tokens"


def test_a_new_token_is_shown_once_and_works(vera, client_as, app):
    made = client_as(vera).post(TOKENS, {"name": "Script"})
    assert made.status_code == 201
    assert set(made.json) == {"public_id", "name", "token", "expires_at", "created_at"}
    assert re.fullmatch(r"wm_[A-Za-z0-9_-]{43,}", made.json["token"])
    assert made.json["expires_at"] is None
    assert Api(app, made.json["token"]).get(ME).json["username"] == "vera"
    listed = client_as(vera).get(TOKENS)
    assert listed.json["total"] == 1
    assert set(listed.json["data"][0]) == {
        "requests_per_minute",
        "public_id",
        "name",
        "last_used_at",
        "expires_at",
        "created_at",
        "user_public_id",
        "scopes",
        "networks",
        "events",
    }
    assert made.json["token"] not in listed.get_data(as_text=True)


def test_the_secret_of_a_token_is_not_in_the_database(lab, vera, client_as):
    secret = client_as(vera).post(TOKENS, {"name": "Script"}, headers={"Idempotency-Key": "k"}).json["token"]
    with lab.arrival(write=False):
        for table in db.metadata.sorted_tables:
            for row in db.session.execute(select(table)):
                assert secret not in str(tuple(row)), table.name


def test_the_use_of_a_token_is_noted(lab, vera, client_as, app):
    _, secret = lab.token(vera)
    assert client_as(vera).get(TOKENS).json["data"][0]["last_used_at"] is None
    before = clock.now()
    Api(app, secret).get("/api/v1/events")
    noted = datetime.fromisoformat(client_as(vera).get(TOKENS).json["data"][0]["last_used_at"])
    assert before <= noted <= clock.now()


def test_the_use_of_a_token_is_noted_once_a_minute(lab, vera, client_as, app):
    _, secret = lab.token(vera)
    Api(app, secret).get("/api/v1/events")
    first = client_as(vera).get(TOKENS).json["data"][0]["last_used_at"]
    Api(app, secret).get("/api/v1/events")
    assert client_as(vera).get(TOKENS).json["data"][0]["last_used_at"] == first
    with time_machine.travel(clock.now() + timedelta(seconds=61), tick=False):
        Api(app, secret).get("/api/v1/events")
        assert client_as(vera).get(TOKENS).json["data"][0]["last_used_at"] > first


def test_a_token_ends_at_its_time(lab, vera, app):
    _, secret = lab.token(vera, expires_at=clock.now() + timedelta(minutes=5))
    assert Api(app, secret).get(ME).status_code == 200
    with time_machine.travel(clock.now() + timedelta(minutes=5, seconds=1), tick=False):
        assert Api(app, secret).get(ME).json == {"detail": "API token has expired."}


def test_a_token_that_is_made_up_is_refused(app):
    assert Api(app, "wm_" + "x" * 64).get(ME).json == {"detail": "Invalid API token."}


@pytest.mark.parametrize("moment", ["2020-01-01T00:00:00Z", "yesterday", 5])
def test_a_token_cannot_end_in_the_past(vera, client_as, moment):
    assert client_as(vera).post(TOKENS, {"name": "Script", "expires_at": moment}).status_code == 422


@pytest.mark.parametrize("name", ["", " ", "x" * 256, None, 5])
def test_a_token_needs_a_name(vera, client_as, name):
    assert client_as(vera).post(TOKENS, {"name": name}).status_code == 422


def test_a_time_without_a_zone_is_utc(vera, client_as):
    made = client_as(vera).post(TOKENS, {"name": "Script", "expires_at": "2099-01-01T00:00:00"})
    assert made.json["expires_at"] == "2099-01-01T00:00:00Z"


def test_one_sees_ones_own_tokens_an_administrator_all_of_the_organization(lab, ada, oscar, vera, eve, client_as):
    for number, person in enumerate((oscar, vera, eve)):
        with time_machine.travel(datetime(2026, 1, 1 + number, tzinfo=UTC), tick=False):
            lab.token(person, person.username)
    names = {who: [t["name"] for t in client_as(p).get(TOKENS).json["data"]] for who, p in _cast(ada, oscar, vera, eve)}
    assert names == {"ada": ["vera", "oscar"], "oscar": ["oscar"], "vera": ["vera"], "eve": ["eve"]}


def _cast(*people):
    return [(person.username, person) for person in people]


def test_deleting_anothers_token_is_the_administrators_right(lab, ada, oscar, vera, client_as):
    path = f"{TOKENS}/{lab.token(vera)[0].public_id}"
    assert client_as(oscar).delete(path).status_code == 403
    assert client_as(ada).delete(path).json["message"] == "API token deleted."
    again = client_as(ada).delete(path)
    assert (again.status_code, again.json) == (404, {"detail": "API token not found."})


def test_a_deleted_token_opens_nothing(lab, vera, client_as, app):
    row, secret = lab.token(vera)
    client_as(vera).delete(f"{TOKENS}/{row.public_id}")
    assert Api(app, secret).get(ME).status_code == 401


def test_a_token_cannot_be_logged_out(lab, vera, app):
    _, secret = lab.token(vera)
    assert Api(app, secret).post(LOGOUT).status_code == 409
    assert Api(app, secret).get(ME).status_code == 200


def test_the_agents_token_is_nobodys_business(lab, ada, client_as):
    with lab.arrival():
        tokens.ensure_service_token(ada.actor.organization_id, "agent", None)
    assert client_as(ada).get(TOKENS).json["total"] == 0
    assert client_as(ada).get("/api/v1/users").json["total"] == 1


def test_the_agent_cannot_sign_in_with_any_password(lab, ada, client_as):
    with lab.arrival():
        tokens.ensure_service_token(ada.actor.organization_id, "agent", None)
    for password in ("", " ", "None", "agent", PASSWORD):
        assert _sign_in(client_as(None), "agent@service.invalid", password).status_code in (401, 422)


def test_roles_have_the_documented_words():
    assert [role.value for role in Role] == ["admin", "operator", "viewer"]
