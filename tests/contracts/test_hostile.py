"""What a stranger tries: bent addresses, fields that are not theirs to set, values that are none."""

import re

import pytest
from sqlalchemy import select

from webmacs.core.db import db
from webmacs.core.permissions import VIEWER as VIEWERS_RIGHTS
from webmacs.core.permissions import Access, Can
from webmacs.features.accounts import operations as accounts

from .bodies import body_for
from .world import declared, nothing, one_of_each

TIMES = ("created_on", "created_at", "registered_on", "started_on", "stopped_on", "last_used_at", "updated_on")


def _bent(path):
    """Other spellings of a path that sloppy software takes for the same."""
    first, _, rest = path.removeprefix("/").partition("/")
    yield from (f"/%2f{path[1:]}", f"/.{path}", f"/{first}/../{first}/{rest}", f"/{first}//{rest}", f"/x/..{path}")
    yield from (path + "/", path + "//", path + "/.", path + "%2f", path + "%00", path + ";x=1", path + ".json")
    yield from (path.upper(), f"/static/..{path}", f"/static/%2e%2e{path}", "/" + path[1:].replace("/", "%2f"))
    yield "/" + re.sub(r"[a-z]", lambda match: f"%{ord(match[0]):02x}", first, count=1) + ("/" + rest if rest else "")


def _follow(sender, method, path):
    """The answer at the end of redirects within this site, four at most, and where they led."""
    for _ in range(4):
        answer = sender.send(method, path, **({"csrf": True} if hasattr(sender, "csrf") else {}))
        if answer.status_code not in (307, 308):
            return answer
        target = answer.headers["Location"].removeprefix("http://localhost")
        assert target.startswith("/"), (path, target)
        assert not target.startswith(("//", "/\\")), (path, target)
        path = target
    pytest.fail(f"{path} goes round in circles")


@pytest.mark.any_database
def test_a_bent_address_opens_nothing_to_anonymous(app, lab, ada, client_as, browser_as):
    named, wrong = one_of_each(lab, ada), []
    for route in declared(app):
        if route.edge.can is Access.PUBLIC:
            continue
        sender = client_as(None) if route.edge.kind == "api" else browser_as(None)
        for path in _bent(route.path(named)):
            answer = _follow(sender, route.method, path)
            if answer.status_code not in (303, 401, 404, 405):
                wrong.append((route.method, path, answer.status_code))
    assert wrong == []


def test_a_bent_address_gives_a_viewer_no_right(app, lab, ada, vera, client_as, browser_as, fingerprint):
    named, wrong = one_of_each(lab, ada), []
    before = fingerprint()
    for route in declared(app):
        if isinstance(route.edge.can, Can) and route.edge.can not in VIEWERS_RIGHTS:
            sender = client_as(vera) if route.edge.kind == "api" else browser_as(vera)
            for path in _bent(route.path(named)):
                answer = _follow(sender, route.method, path)
                if answer.status_code not in (403, 404, 405):
                    wrong.append((route.method, path, answer.status_code))
    assert wrong == []
    assert fingerprint() == before


@pytest.mark.parametrize("host", ["/%2fevil.example/", "/%2fevil.example/%2e%2e/", "/%5cevil.example/"])
def test_no_address_redirects_to_another_host(client_as, browser_as, ada, host):
    for sender in (client_as(None), browser_as(ada)):
        answer = sender.send("GET", host)
        assert "evil.example" not in answer.headers.get("Location", "")


@pytest.mark.any_database
def test_no_slash_makes_a_redirect_to_a_host_named_like_a_route(app, lab, ada, browser_as):
    browser, named = browser_as(ada), one_of_each(lab, ada)
    for route in declared(app):
        if route.method == "GET":
            location = browser.send("GET", f"/%2f{route.path(named)[1:]}/").headers.get("Location", "/")
            assert not location.startswith("//"), (route.name, location)


def test_a_slash_too_many_is_redirected_within_the_site(lab, ada, client_as):
    client = client_as(ada)
    for path in ("/api/v1/users/", "/api/v1/logging/"):
        answer = client.get(path, query_string="page=2")
        assert (answer.status_code, answer.headers["Location"]) == (307, f"{path[:-1]}?page=2")
    created = client.post("/api/v1/experiments/", {"name": "Run"})
    assert (created.status_code, created.headers["Location"]) == (307, "/api/v1/experiments")


@pytest.mark.parametrize("odd", ["a%0d%0aSet-Cookie:x=y", "a%0a", "%e2%82%ac", "a%3fb", "a%23b", "%2e%2e"])
def test_an_odd_id_with_a_slash_too_many_breaks_no_header(client_as, browser_as, ada, odd):
    for sender, prefix in ((client_as(ada), "/api/v1/events/"), (browser_as(ada), "/channels/")):
        answer = sender.send("GET", f"{prefix}{odd}/")
        assert answer.status_code in (307, 404)
        assert "Set-Cookie" not in answer.headers or "x=y" not in answer.headers["Set-Cookie"]
        if answer.status_code == 307:
            assert sender.send("GET", answer.headers["Location"]).status_code == 404


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:1", "\t/"])
def test_the_login_goes_on_to_places_of_this_site_only(app, ada, browser_as, target):
    answer = browser_as(ada).send("GET", "/login", query_string={"next": target})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def _rows(lab):
    """Every row of every table, as (table, id, column) → value."""
    with lab.arrival(write=False):
        return {
            (table.name, tuple(row[key.name] for key in table.primary_key), name): value
            for table in db.metadata.sorted_tables
            for row in db.session.execute(select(table)).mappings()
            for name, value in row.items()
        }


def test_no_body_sets_a_field_that_is_not_its_own(app, lab, ada, eve, client_as):
    elsewhere = eve.actor
    extras = {
        "id": 999_999,
        "public_id": "evt_mine",
        "organization_id": elsewhere.organization_id,
        "user_id": elsewhere.user_id,
        "user_public_id": eve.public_id,
        "password_hash": "stolen",
        "token_hash": "stolen",
        "is_service": True,
        "made_event": True,
        "is_accepting": False,
        "sso_provider": "forged",
        "admin": True,
    }
    extras |= dict.fromkeys(TIMES, "2001-01-01T00:00:00Z")
    for number, route in enumerate(r for r in declared(app) if r.edge.body is not None and r.edge.kind == "api"):
        named = one_of_each(lab, ada, number)
        body = body_for(route.edge.body, named)
        before = _rows(lab)
        answer = client_as(ada).send(route.method, route.path(named), {**extras, **body})
        refused = (400, 401, 409)  # 400: no such one-time code
        assert answer.status_code in (200, 201, *refused), (route.name, answer.json)
        for (table, key, column), value in _rows(lab).items():
            if before.get((table, key, column)) == value:
                continue
            where = (route.name, table, column, value)
            assert value not in ("stolen", "forged", 999_999, "evt_mine"), where
            assert column not in ("organization_id", "user_id") or value not in (
                elsewhere.organization_id,
                elsewhere.user_id,
            ), where
            assert column not in ("is_service", "made_event") or value is False, where
            assert "2001-01-01" not in str(value), where


def test_nobody_makes_themselves_an_administrator(lab, vera, oscar, client_as, browser_as):
    for person in (vera, oscar):
        client, browser = client_as(person), browser_as(person)
        assert client.put(f"/api/v1/users/{person.public_id}", {"role": "admin"}).status_code == 403
        browser.post("/profile/name", {"username": f"{person.username}2", "role": "admin", "organization_id": "1"})
        client.post("/api/v1/tokens", {"name": "x", "role": "admin"})
        assert client.get("/api/v1/auth/me").json["role"] == person.actor.role


def test_the_claim_makes_no_second_administrator(lab, ada, browser_as, client_as):
    browser = browser_as(None)
    with lab.arrival():
        code = accounts.offer_claim()
    assert browser.send("GET", "/claim").headers["Location"] == "/login"
    before = client_as(ada).get("/api/v1/users").json["total"]
    form = {"code": code, "email": "new@lab.example", "username": "new", "password": "long enough"}
    assert browser.send("POST", "/claim", data=form).status_code == 400
    assert client_as(ada).get("/api/v1/users").json["total"] == before


STRANGE = ["\x00", "a\x00b", "x" * 200_000, "'; DROP TABLE users; --", "🧪\u202e", "%", "_", "\\"]


@pytest.mark.parametrize("text", STRANGE)
def test_strange_text_in_a_query_is_answered(app, ada, client_as, browser_as, text):
    for route in declared(app):
        if route.edge.query is not None and not route.has_ids:
            sender = client_as(ada) if route.edge.kind == "api" else browser_as(ada)
            for name in route.edge.query.model_fields:
                answer = sender.send("GET", route.rule, query_string={name: text})
                assert answer.status_code in (200, 404, 422), (route.name, name, answer.status_code)


ENDS = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
MOMENTS = [*ENDS, "1e400", "-1", "99999999999999999999", "now", "2026-13-01", "2026-11-20T12:00:00+99:00"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_moments_at_the_end_of_time_are_answered(ada, lab, client_as, browser_as, moment):
    client, event = client_as(ada), lab.event(ada)
    for name in ("start", "stop"):
        assert client.get("/api/v1/datapoints", query_string={name: moment}).status_code in (200, 422)
        assert browser_as(ada).send("GET", "/data", query_string={name: moment}).status_code in (200, 422)
    assert client.post("/api/v1/tokens", {"name": "t", "expires_at": moment}).status_code in (201, 422)
    point = {"event_public_id": event.public_id, "value": 1, "timestamp": moment}
    assert client.post("/api/v1/datapoints", point).status_code in (201, 422)


HUGE = "9" * 400
NUMBERS = [HUGE, f"-{HUGE}", "1e400", "-1e400", "NaN", "Infinity", "-Infinity", "1e-400", "9" * 5000]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_beyond_all_bounds_are_answered_everywhere(app, lab, ada, client_as, number):
    client, event = client_as(ada), lab.event(ada)
    bodies = [
        ("/datapoints", f'"event_public_id": "{event.public_id}", "value": 1, "timestamp": {number}'),
        ("/datapoints", f'"event_public_id": "{event.public_id}", "value": {number}'),
        ("/datapoints/series", f'"event_public_ids": ["{event.public_id}"], "minutes": {number}'),
        ("/events", f'"name": "n", "type": "sensor", "unit": "V", "min_value": 0, "max_value": {number}'),
        ("/tokens", f'"name": "n", "expires_at": {number}'),
        (
            "/plugins",
            f'"plugin_id": "simulated", "instance_name": "n", "config_json": {{"poll_interval_ms": {number}}}',
        ),
    ]
    for path, body in bodies:
        answer = client.send("POST", f"/api/v1{path}", data=f"{{{body}}}", content_type="application/json")
        assert answer.status_code in (201, 422), (path, body[:80], answer.status_code)


DEEP = 20_000


@pytest.mark.parametrize("body", ["[" * DEEP, '{"a":' * DEEP, '{"name": ' + "[" * DEEP + "]" * DEEP + "}"])
def test_deeply_nested_json_is_refused(app, ada, client_as, body):
    answer = client_as(ada).send("POST", "/api/v1/events", data=body, content_type="application/json")
    assert answer.status_code == 422


NO_OBJECTS = ["[" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP, '{"a": NaN}', "[]", "1", '"x"', "{", " "]


@pytest.mark.parametrize("config", NO_OBJECTS)
def test_a_configuration_that_is_no_object_is_refused(ada, client_as, config):
    body = {"plugin_id": "simulated", "instance_name": "Bed", "config_json": config}
    assert client_as(ada).post("/api/v1/plugins", body).status_code == 422


@pytest.mark.parametrize("interval", ["x", -1, 0, 1e300, 10**20, [], {}, None, True, "500"])
@pytest.mark.parametrize("driver", ["none", "system", "simulated"])
def test_a_poll_interval_of_any_kind_is_answered(lab, ada, client_as, driver, interval):
    client, event = client_as(ada), lab.event(ada)
    body = {"plugin_id": driver, "instance_name": "Bed", "config_json": {"poll_interval_ms": interval}}
    made = client.post("/api/v1/plugins", body)
    assert made.status_code in (201, 422), made.json
    if made.status_code == 201:
        link = {"channel_id": "own", "channel_name": "Own", "direction": "input", "unit": "V"}
        path = f"/api/v1/plugins/{made.json['public_id']}/channels"
        linked = client.post(path, {**link, "event_public_id": event.public_id})
        assert linked.status_code == 201, linked.json
        assert client.put(f"/api/v1/plugins/{made.json['public_id']}", {"enabled": False}).status_code == 200


@pytest.mark.any_database
@pytest.mark.parametrize(
    "credential",
    [
        "",
        "x",
        "wm_",
        "wm_" + "x" * 64,
        "a.b.c",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
        "W10.W10.W10",
        "MQ.MQ.MQ",
        "bnVsbA.bnVsbA.bnVsbA",
        "..",
        "é",
        "e30.e30.e30",
        "eyJhbGciOjF9.e30.e30",
        "." * 5000,
    ],
)
def test_whatever_is_sent_as_a_credential_is_401(client_as, credential):
    for scheme in ("Bearer", "bearer", "BEARER", "Token", "Basic"):
        answer = client_as(None).get("/api/v1/events", headers={"Authorization": f"{scheme} {credential}"})
        assert answer.status_code == 401, answer.json
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_ids_are_matched_exactly(lab, ada, client_as):
    client, named = client_as(ada), one_of_each(lab, ada)
    kinds = {"event": "events", "experiment": "experiments", "instance": "plugins", "datapoint": "datapoints"}
    for kind, plural in kinds.items():
        path, known = f"/api/v1/{plural}/", named[kind]
        assert client.get(path + known).status_code == 200
        for bent in (
            known.upper(),
            known + " ",
            " " + known,
            known + "_",
            known[:-1] + "%",
            known[:-14] + known[-14:].upper(),
        ):
            assert bent == known or client.get(path + bent).status_code == 404, bent


def test_a_path_that_does_not_exist_is_not_in_the_world():
    assert set(nothing()) >= {"event", "mapping"}


@pytest.mark.any_database
def test_a_form_of_countless_parts_is_read_nowhere(app, lab, ada, browser_as, fingerprint):
    browser, named, wrong = browser_as(ada), one_of_each(lab, ada), []
    before = fingerprint()
    for route in declared(app):
        if route.is_unsafe and route.edge.kind == "page":
            parts = {f"field{number}": "x" for number in range(1001)}
            kind = "multipart/form-data"
            answer = browser.send(route.method, route.path(named), csrf=True, data=parts, content_type=kind)
            if answer.status_code != 413:
                wrong.append((route.name, answer.status_code))
    assert wrong == []
    assert fingerprint() == before


@pytest.mark.any_database
def test_a_body_above_the_limit_of_its_route_is_refused_everywhere(app, lab, ada, client_as, browser_as, fingerprint):
    named, wrong = one_of_each(lab, ada), []
    before = fingerprint()
    for route in declared(app):
        if route.is_unsafe:
            is_api = route.edge.kind == "api"
            sender = client_as(ada) if is_api else browser_as(ada)
            largest = app.config[route.edge.largest or "MAX_CONTENT_LENGTH"]
            kind = "application/json" if is_api else "application/x-www-form-urlencoded"
            kind = route.edge.uploads[0] if route.edge.uploads else kind
            told = {"environ_overrides": {"CONTENT_LENGTH": str(largest + 1)}}  # what comes need not be read
            answer = sender.send(route.method, route.path(named), content_type=kind, **told)
            if answer.status_code != 413:
                wrong.append((route.name, answer.status_code))
    assert wrong == []
    assert fingerprint() == before
