"""Every refusal has the one shape, whatever went wrong and whoever asked."""

import json
import sqlite3
from dataclasses import replace

import pytest
from flask import Blueprint
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tests.conftest import SECRET, Site
from tests.make import Api, Lab
from tests.page import Browser
from webmacs.api.endpoint import endpoint
from webmacs.core.db import db
from webmacs.core.errors import TooMany, Unavailable
from webmacs.core.permissions import Access
from webmacs.factory import create_app
from webmacs.web.pages import screen

from .bodies import body_for
from .world import declared, nothing

ITEM = {"loc", "msg", "type"}


@pytest.fixture
def faulty(installation, site: Site):
    """A second application over the same database, with routes that break."""
    app = create_app(site.settings(installation.url))
    bp = Blueprint("faults", __name__)

    def breaks(actor):
        raise RuntimeError(f"the key is {SECRET}")

    def waits(actor):
        raise TooMany("Too many requests. Wait a moment.", 60)

    def rests(actor):
        raise Unavailable("The plant is away.")

    def asks(actor):
        db.session.execute(text("SELECT * FROM a_table_that_does_not_exist"))

    for name, view in (("breaks", breaks), ("waits", waits), ("rests", rests), ("asks", asks)):
        bp.get(f"/api/v1/{name}", endpoint=f"{name}_json")(endpoint(name, can=Access.PUBLIC, out=None)(view))
        bp.get(f"/{name}", endpoint=name)(screen(can=Access.PUBLIC)(view))
    app.register_blueprint(bp)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def assert_shape(answer, status):
    """The answer is JSON of the documented shape, and carries the request's id."""
    assert answer.status_code == status, answer.get_data(as_text=True)[:300]
    assert answer.mimetype == "application/json"
    assert answer.headers["X-Request-ID"].startswith("req_")
    assert answer.headers["Cache-Control"] == "no-store"
    detail = answer.json["detail"]
    if status == 422:
        assert detail
        assert all(set(item) == ITEM and isinstance(item["loc"], list) for item in detail)
    else:
        assert isinstance(detail, str)
        assert detail


def test_every_endpoint_answers_malformed_json_with_422_before_it_asks_who_it_is(app, client_as):
    client = client_as(None)
    for route in declared(app):
        if route.edge.kind == "api" and route.is_unsafe:
            answer = client.send(route.method, route.path(nothing()), data=b"{", content_type="application/json")
            assert_shape(answer, 422)
            assert answer.json["detail"][0]["type"] == "json_invalid"
            assert answer.json["detail"][0]["loc"] == ["body"]


@pytest.mark.parametrize("body", [[], "text", 5, None, [{}], True])
def test_every_endpoint_with_a_body_answers_what_is_no_object_with_422(app, ada, client_as, body):
    client = client_as(ada)
    for route in declared(app):
        if route.edge.body is not None:
            sent = b"" if body is None else json.dumps(body)
            assert_shape(client.send(route.method, route.path(nothing()), data=sent), 422)


def test_every_endpoint_about_one_thing_answers_404_for_nothing(app, lab, ada, client_as):
    client, named = client_as(ada), nothing() | {"event": lab.event(ada).public_id}
    for route in declared(app):
        if route.edge.kind == "api" and route.has_ids:
            body = None if route.edge.body is None else body_for(route.edge.body, named)
            assert_shape(client.send(route.method, route.path(nothing()), body), 404)


@pytest.mark.parametrize(
    "public_id",
    ["0", "-1", "null", "%00", "a%00b", "%F0%9F%A7%AA", "%ff", "'", "%25", "%20", "x" * 300, "a.b", "%0d%0a"],
)
def test_no_id_however_strange_is_more_than_not_found(app, ada, client_as, browser_as, public_id):
    client, browser = client_as(ada), browser_as(ada)
    named = dict.fromkeys(nothing(), public_id)
    for route in declared(app):
        if route.has_ids:
            sender = client if route.edge.kind == "api" else browser
            body = {"body": body_for(route.edge.body, nothing())} if route.edge.body is not None else {}
            answer = sender.send(route.method, route.path(named), **body)
            # 400: a form without its CSRF token
            assert answer.status_code in ((404,) if route.edge.kind == "api" else (404, 400)), route.name


def test_unknown_addresses_are_not_found(client_as, browser_as, ada):
    for path in ("/api/v1/nothing", "/api/", "/api/v2/events", "/ws/nothing"):
        answer = client_as(None).get(path)
        assert_shape(answer, 404)
        assert answer.json == {"detail": "Not Found"}
    for browser in (browser_as(None), browser_as(ada)):
        page = browser.visit("/nothing/here", 404)
        assert "There is nothing at this address" in page.text


def test_a_wrong_method_names_the_right_ones(client_as):
    answer = client_as(None).put("/api/v1/auth/login")
    assert_shape(answer, 405)
    assert answer.json == {"detail": "Method Not Allowed"}
    assert answer.headers["Allow"] == "OPTIONS, POST"


@pytest.mark.parametrize("size", [2_097_153, 5_000_000])
def test_a_body_that_is_too_large_is_refused(client_as, ada, size):
    answer = client_as(ada).send("POST", "/api/v1/datapoints/batch", data=b" " * size, content_type="application/json")
    assert_shape(answer, 413)


def test_a_form_that_is_too_large_is_refused_with_a_page(browser_as, ada):
    browser = browser_as(ada)
    browser.check(browser.post("/channels", {"name": "x" * 3_000_000}), "/channels", 413)


def test_a_fault_is_a_500_that_names_the_request_and_no_secret(faulty):
    for path in ("/api/v1/breaks", "/api/v1/asks"):
        answer = Api(faulty).get(path)
        if path.endswith("breaks"):
            assert_shape(answer, 500)
            assert answer.json == {"detail": "Internal Server Error", "request_id": answer.headers["X-Request-ID"]}
        assert SECRET not in answer.get_data(as_text=True)
        assert "Traceback" not in answer.get_data(as_text=True)
    answer = Browser(faulty).send("GET", "/breaks")
    page = Browser(faulty).check(answer, "/breaks", 500)
    assert answer.headers["X-Request-ID"] in page.html
    assert SECRET not in page.html


def test_a_fault_inside_an_htmx_request_is_a_fragment(faulty):
    answer = Browser(faulty).send("GET", "/breaks", htmx=True)
    assert answer.status_code == 500
    assert "<html" not in answer.get_data(as_text=True)


def test_refusals_that_pass_say_when_to_come_back(faulty):
    waits, rests = Api(faulty).get("/api/v1/waits"), Api(faulty).get("/api/v1/rests")
    assert_shape(waits, 429)
    assert waits.headers["Retry-After"] == "60"
    assert "Too many requests" in waits.json["detail"]
    assert_shape(rests, 503)
    assert rests.headers["Retry-After"] == "5"
    for path, status in (("/waits", 429), ("/rests", 503)):
        Browser(faulty).check(Browser(faulty).send("GET", path), path, status)


def test_a_database_that_is_away_is_a_503(site, database, ada):
    gone = "sqlite:////nowhere/at/all.db" if database == "sqlite" else "postgresql://nobody@127.0.0.1:9/none"
    app = create_app(site.settings(gone))
    answer = Api(app, ada.bearer).get("/api/v1/events")
    assert_shape(answer, 503)
    assert answer.headers["Retry-After"] == "5"
    ready = Api(app).get("/health/ready")
    assert (ready.status_code, ready.json["database"]) == (503, "error")
    for client in (Api(app), Api(app, ada.bearer)):
        health = client.get("/health")
        assert (health.status_code, health.json["status"], health.json["database"]) == (200, "degraded", "error")
        assert health.json["last_datapoint"] is None


def test_every_answer_has_an_id_of_its_own_whatever_the_client_sends(client_as):
    client = client_as(None)
    ids = [client.get("/health", headers={"X-Request-ID": "mine"}).headers["X-Request-ID"] for _ in range(3)]
    assert len(set(ids)) == 3
    assert "mine" not in ids


def test_the_fields_that_do_not_fit_are_named_and_not_repeated(ada, client_as):
    answer = client_as(ada).post("/api/v1/users", {"email": "x@lab.example", "username": "a", "password": "s3cret!"})
    assert_shape(answer, 422)
    assert {tuple(item["loc"]): item["type"] for item in answer.json["detail"]} == {
        ("body", "username"): "string_too_short",
        ("body", "password"): "string_too_short",
    }
    assert "s3cret!" not in answer.get_data(as_text=True)


def test_a_missing_field_is_called_missing(ada, client_as):
    answer = client_as(ada).post("/api/v1/experiments", {})
    assert_shape(answer, 422)
    assert answer.json["detail"] == [{"loc": ["body", "name"], "msg": "Field required", "type": "missing"}]


@pytest.mark.parametrize(
    "query",
    [{"page": 0}, {"page": -1}, {"page": "x"}, {"page": ""}, {"page_size": 0}, {"page_size": 101}, {"page": 1.5}],
)
def test_pages_of_lists_out_of_range_are_refused(app, lab, ada, client_as, query):
    client, lists = client_as(ada), 0
    for route in declared(app):
        if route.edge.query is not None and "page" in route.edge.query.model_fields and route.edge.kind == "api":
            answer = client.get(route.rule, query_string=query)
            assert_shape(answer, 422)
            assert answer.json["detail"][0]["loc"] == ["query", next(iter(query))]
            lists += 1
    assert lists >= 6


def test_a_page_past_the_end_is_empty_with_the_right_total(app, lab: Lab, ada, client_as):
    client = client_as(ada)
    for route in declared(app):
        if route.edge.query is not None and "page" in route.edge.query.model_fields and route.edge.kind == "api":
            total = client.get(route.rule).json["total"]
            for page in (2, 1_000_000_000):
                answer = client.get(route.rule, query_string={"page": page, "page_size": 100}).json
                assert (answer["page"], answer["page_size"], answer["total"], answer["data"]) == (page, 100, total, [])


def test_the_order_of_the_checks_is_401_403_422_404(lab, vera, oscar, client_as):
    path, bad = "/api/v1/events/evt_nothing", {"name": 5}
    assert client_as(None).put(path, bad).status_code == 401
    assert client_as(vera).put(path, bad).status_code == 403
    assert client_as(oscar).put(path, bad).status_code == 422
    assert client_as(oscar).put(path, {"name": "Fine"}).status_code == 404


def test_a_refused_write_leaves_nothing_behind(app, lab, ada, client_as, fingerprint):
    lab.event(ada, name="Taken")
    client = client_as(ada)
    before = fingerprint()
    sample = {"name": "Taken", "type": "sensor", "unit": "V", "min_value": 0, "max_value": 1}
    assert client.post("/api/v1/events", sample).status_code == 409
    assert client.post("/api/v1/experiments", {"name": "New", "event_public_ids": ["evt_none"]}).status_code == 404
    broken = {"plugin_id": "simulated", "instance_name": "Bed", "config_json": '{"poll_interval_ms": -5}'}
    assert client.post("/api/v1/plugins", broken).status_code == 422
    assert fingerprint() == before


def test_a_page_says_that_the_database_is_away_also_when_it_cannot_tell_who_asks(app, ada, browser_as):
    def away(_session_id):
        raise OperationalError("SELECT", None, sqlite3.OperationalError("disk I/O error"))

    kept = app.extensions["webmacs.authenticators"]
    app.extensions["webmacs.authenticators"] = replace(kept, session=away)
    try:
        answer = browser_as(ada).send("GET", "/")
    finally:
        app.extensions["webmacs.authenticators"] = kept
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "does not answer" in answer.get_data(as_text=True)
