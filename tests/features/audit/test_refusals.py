"""Who was not let in, and who may not do what they tried; told without letting a stranger fill the disk."""

import pyotp
import pytest
from sqlalchemy import select

from tests.make import PASSWORD, Api
from webmacs.core.db import db
from webmacs.features.audit import decide, operations
from webmacs.features.factors import operations as factors
from webmacs.features.factors import queries as factor_queries
from webmacs.features.factors.models import Authenticator, RecoveryCode

MINUTE = 60.0


def _fields(entry, *names):
    return tuple(getattr(entry, name) for name in names)


def test_signing_in_and_out_is_told_in_the_name_of_who_did_it(lab, ada, client_as, trail):
    before = len(trail(ada))
    signed_in = client_as(None).post("/api/v1/auth/login", {"email": ada.email, "password": PASSWORD})
    Api(lab.app, signed_in.json["access_token"]).post("/api/v1/auth/logout")
    came, left = trail(ada, before)
    assert _fields(came, "username", "via", "verb", "action", "kind") == (
        "ada",
        "jwt",
        "signin.login",
        "created",
        "login",
    )
    assert _fields(left, "username", "verb", "action", "kind") == ("ada", "accounts.logout", "changed", "login")
    assert came.object_public_id == left.object_public_id == left.session_public_id
    assert left.old_values == {"revoked_on": None}


def test_a_wrong_password_is_told_with_the_address_that_was_tried(ada, client_as, browser_as, trail):
    before = len(trail(ada))
    assert client_as(None).post("/api/v1/auth/login", {"email": ada.email, "password": "wrong"}).status_code == 401
    form = browser_as(None).visit("/login").form("/login")
    assert form.submit(email=ada.email, password="wrong").status_code == 401
    told = trail(ada, before)
    assert [_fields(entry, "outcome", "kind", "object_name", "object_public_id", "username") for entry in told] == [
        ("refused", "sign-in", ada.email, ada.public_id, "")
    ] * 2
    assert [entry.via for entry in told] == ["jwt", "browser"]
    assert told[0].sentence == "Invalid email or password."


def test_an_address_that_nobody_has_is_told_to_the_installation(ada, client_as, trail):
    mine, before = len(trail(ada)), len(trail())
    client_as(None).post("/api/v1/auth/login", {"email": "nobody@lab.example", "password": "wrong"})
    (entry,) = trail(None, before)
    assert _fields(entry, "outcome", "object_name", "object_public_id") == ("refused", "nobody@lab.example", None)
    assert len(trail(ada)) == mine


def test_a_refused_right_is_told_with_who_and_what(lab, ada, vera, client_as, trail):
    event = lab.event(ada)
    before = len(trail(ada))
    path = f"/api/v1/events/{event.public_id}"
    assert client_as(vera).delete(path).status_code == 403
    (entry,) = trail(ada, before)
    assert _fields(entry, "username", "user_public_id", "session_public_id", "via") == (
        "vera",
        vera.public_id,
        vera.actor.session_id,
        "jwt",
    )
    assert _fields(entry, "verb", "outcome", "object_name") == ("events.remove", "refused", f"DELETE {path}")
    assert entry.sentence == "Operator privileges required."


def test_a_page_that_is_refused_is_told(vera, browser_as, trail):
    assert browser_as(vera).send("GET", "/audit").status_code == 403
    assert _fields(trail(vera)[-1], "username", "via", "object_name") == ("vera", "browser", "GET /audit")


def test_a_wrong_credential_is_told(ada, client_as, trail):
    client, before = client_as(None), len(trail())
    client.bearer = "wm_" + "x" * 64
    assert client.get("/api/v1/events").status_code == 401
    (entry,) = trail(None, before)
    assert _fields(entry, "outcome", "kind", "object_name", "sentence") == (
        "refused",
        "access",
        "GET /api/v1/events",
        "Invalid API token.",
    )


def test_who_shows_nothing_and_who_finds_nothing_is_not_told(ada, client_as, browser_as, trail):
    before = len(trail(ada)), len(trail())
    assert client_as(None).get("/api/v1/events").status_code == 401
    assert browser_as(None).send("GET", "/").status_code == 303
    assert client_as(ada).get("/api/v1/events/evt_nothing").status_code == 404
    assert client_as(ada).post("/api/v1/events", {}).status_code == 422
    assert (len(trail(ada)), len(trail())) == before


def test_where_a_request_comes_from_and_its_id_are_told(lab, ada, client_as, trail):
    body = {"name": "Inlet", "type": "sensor", "unit": "V", "min_value": 0, "max_value": 1}
    made = client_as(ada).post("/api/v1/events", body, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    entry = trail(ada)[-1]
    assert _fields(entry, "address", "request_id") == ("192.0.2.7", made.headers["X-Request-ID"])


@pytest.mark.parametrize(("given", "told"), [("Recalibrated", "Recalibrated"), ("Größe ±", "Größe ±"), ("", None)])
def test_the_reason_that_a_client_gives_is_kept(ada, client_as, trail, given, told):
    body = {"name": "Inlet", "type": "sensor", "unit": "V", "min_value": 0, "max_value": 1}
    headers = {"X-Reason": given.encode().decode("latin-1")}
    assert client_as(ada).post("/api/v1/events", body, headers=headers).status_code == 201
    assert trail(ada)[-1].reason == told


def test_a_reason_that_is_too_long_is_refused_and_nothing_is_done(ada, client_as):
    body = {"name": "Inlet", "type": "sensor", "unit": "V", "min_value": 0, "max_value": 1}
    client = client_as(ada)
    refused = client.post("/api/v1/events", body, headers={"X-Reason": "x" * 501})
    assert refused.status_code == 422
    assert "X-Reason" in refused.text
    assert client.get("/api/v1/events").json["total"] == 0
    assert client.post("/api/v1/events", body, headers={"X-Reason": "x" * 500}).status_code == 201


def test_a_wrong_code_is_told_and_being_asked_for_one_is_not(lab, ada, client_as, trail):
    with lab.arrival():
        factors.confirm(ada.actor)
        factors.begin_authenticator(ada.actor)
    with lab.arrival():
        secret = factor_queries.secret_of(factor_queries.authenticator(ada.actor.user_id))
        codes = factors.finish_authenticator(ada.actor, pyotp.TOTP(secret).now())
        db.session.flush()
        kept = [
            *db.session.scalars(select(RecoveryCode.mark)),
            *db.session.scalars(select(Authenticator.sealed_secret)),
        ]
    attempt, before = {"email": ada.email, "password": PASSWORD}, len(trail(ada))
    assert client_as(None).post("/api/v1/auth/login", attempt).status_code == 401
    assert len(trail(ada)) == before
    assert client_as(None).post("/api/v1/auth/login", attempt | {"code": "000000"}).status_code == 401
    (entry,) = trail(ada, before)
    assert _fields(entry, "outcome", "kind", "object_name", "object_public_id") == (
        "refused",
        "sign-in",
        ada.email,
        ada.public_id,
    )
    shown = " ".join(entry.old + entry.new for entry in trail(ada))
    assert [value for value in (*kept, *codes, secret) if value in shown] == []


# --- how many ---------------------------------------------------------------------------------------------------------


def test_a_flood_of_refusals_is_counted_and_not_told_one_by_one(ada, client_as, trail, monkeypatch):
    now = [1_000.0]
    monkeypatch.setattr(operations.time, "monotonic", lambda: now[0])
    before = len(trail())
    client = client_as(None)
    client.bearer = "wm_" + "x" * 64
    for _ in range(50):
        client.get("/api/v1/events")
    assert len(trail(None, before)) == 20
    now[0] += MINUTE
    client.get("/api/v1/events")
    *_, counted, single = trail(None, before)
    assert (counted.kind, counted.sentence) == ("accesses", "30 more refusals were counted and not told one by one.")
    assert single.object_name == "GET /api/v1/events"
    assert len(trail(None, before)) == 22


def test_what_was_only_counted_is_told_with_the_next_change_at_the_latest(lab, ada, client_as, trail, monkeypatch):
    now = [1_000.0]
    monkeypatch.setattr(operations.time, "monotonic", lambda: now[0])
    client = client_as(None)
    client.bearer = "wm_" + "x" * 64
    for _ in range(25):
        client.get("/api/v1/events")
    now[0] += MINUTE
    before = len(trail()) + len(trail(ada))
    lab.event(ada)
    assert len(trail()) + len(trail(ada)) == before + 2


def test_the_limit_holds_for_each_address_and_for_all_together():
    limit = decide.Limit(each=2, together=5)
    assert [limit.take("192.0.2.1", 0) for _ in range(3)] == [True, True, False]
    assert [limit.take(f"192.0.2.{n}", 1) for n in (2, 3, 4, 5)] == [True, True, True, False]
    assert limit.rest(59) == {}
    assert limit.rest(60) == {"192.0.2.1": 1, "192.0.2.5": 1}
    assert limit.rest(61) == {}
    assert limit.take("192.0.2.1", 61)


def test_addresses_of_one_ipv6_network_count_as_one():
    limit = decide.Limit(each=1)
    assert limit.take("2001:db8::1", 0)
    assert not limit.take("2001:db8::2", 0)
    assert limit.take("2001:db8:0:1::1", 0)


def test_the_memory_of_the_limit_does_not_grow_with_the_addresses():
    limit = decide.Limit(each=1, together=3)
    for n in range(1_000):
        limit.take(f"198.51.100.{n}x", 0)
    rest = limit.rest(60)
    assert len(rest) == 4
    assert sum(rest.values()) == 997
