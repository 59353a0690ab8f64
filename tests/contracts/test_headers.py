"""What every answer tells the browser, whatever was asked and whatever came of it."""

import re

import pytest

from tests.make import Api
from tests.page import Browser

from . import approved
from .world import declared, nothing, one_of_each, routes

EXACT = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
DIRECTIVES = {"default-src", "script-src", "style-src", "base-uri", "form-action", "frame-ancestors"}
HTTPS = "https://localhost"


def weaknesses(answer):
    """Everything that an answer lacks; the same for pages, JSON, files, redirects and errors."""
    headers = answer.headers
    found = [f"{name}: {headers.get(name)}" for name, value in EXACT.items() if headers.getlist(name) != [value]]
    policies = headers.getlist("Content-Security-Policy")
    policy = dict(part.strip().partition(" ")[::2] for part in (policies or [""])[0].split(";"))
    if len(policies) != 1 or not policy.keys() >= DIRECTIVES or policy.get("frame-ancestors") != "'none'":
        found.append(f"policy: {policies}")
    found += [f"policy: {word}" for word in ("unsafe", "*", "http:", "https:") if word in str(policies)]
    found += [f"may use {name}" for name in ("camera", "microphone", "geolocation", "usb") if f"{name}=()" not in
              headers.get("Permissions-Policy", "")]  # fmt: skip
    if not re.fullmatch(r"req_\w{26}", headers.get("X-Request-ID", "")):
        found.append("no request id")
    return found + [name for name in ("Server", "X-Powered-By") if name in headers]


def test_every_route_answers_strictly_whoever_asks(app, lab, ada, vera, client_as, browser_as):
    wrong = []
    for named in (one_of_each(lab, ada), nothing()):
        for route in declared(app):
            is_api = route.edge.kind == "api"
            for person in (None, vera, ada):
                if person is ada and route.is_unsafe:
                    continue
                sender = client_as(person) if is_api else browser_as(person)
                answer = sender.send(route.method, route.path(named))
                lacking = weaknesses(answer)
                if "no-store" not in answer.headers.get("Cache-Control", ""):
                    lacking.append("can be kept by caches")
                wrong += [(route.name, answer.status_code, what) for what in lacking]
    assert wrong == []


@pytest.mark.any_database
def test_files_and_everything_that_is_none_answer_strictly(app, client_as):
    wrong = []
    for method, path in (
        ("GET", "/static/css/base.css"),
        ("HEAD", "/static/css/base.css"),
        ("GET", "/static/nothing.css"),
        ("GET", "/static/../app.py"),
        ("POST", "/static/css/base.css"),
        ("GET", "/nowhere"),
        ("GET", "/api/v1/nowhere"),
        ("OPTIONS", "/api/v1/events"),
        ("GET", "/api/v1/events/"),
        ("GET", "/api/v1/%00"),
        ("POST", "/api/v1/auth/login"),
        ("DELETE", "/login"),
    ):
        answer = client_as(None).send(method, path)
        wrong += [(method, path, answer.status_code, what) for what in weaknesses(answer)]
        if answer.status_code >= 400 and "no-store" not in answer.headers.get("Cache-Control", ""):
            wrong.append((method, path, answer.status_code, "an error that caches keep"))
    assert wrong == []


@pytest.mark.any_database
def test_no_answer_is_marked_for_https_unless_that_is_spoken(app, client_as):
    for route in routes(app):
        if route.method == "GET" and not route.has_ids and route.edge is not None:
            plain = client_as(None).get(route.rule)
            secure = client_as(None).get(route.rule, base_url=HTTPS)
            assert "Strict-Transport-Security" not in plain.headers, route.name
            seconds = int(secure.headers["Strict-Transport-Security"].partition("=")[2])
            assert seconds >= 31_536_000, route.name


def _cookies(answer):
    return answer.headers.getlist("Set-Cookie")


@pytest.mark.any_database
def test_every_cookie_is_for_this_host_and_no_script(app, ada):
    for base, prefix in (("http://localhost", "webmacs"), (HTTPS, "__Host-webmacs")):
        browser = Browser(app)
        form = browser.send("GET", "/login", base_url=base)
        cookies = _cookies(form)
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form.get_data(as_text=True))[1]
        sent = {"email": ada.email, "password": "correct horse battery", "csrf_token": token}
        answer = browser.send("POST", "/login", data=sent, base_url=base)
        assert answer.status_code == 303
        cookies += _cookies(answer)
        assert cookies
        for cookie in cookies:
            name, _, rest = cookie.partition("=")
            parts = {part.strip() for part in rest.split(";")}
            assert name.startswith(prefix), cookie
            assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= parts, cookie
            assert ("Secure" in parts) == (base == HTTPS), cookie
            assert "Domain" not in cookie


@pytest.mark.any_database
def test_a_cookie_that_was_planted_without_https_is_not_read_with_it(app, ada, browser_as):
    browser = browser_as(ada)
    assert browser.send("GET", "/profile").status_code == 200
    assert browser.send("GET", "/profile", base_url=HTTPS).status_code == 303


def test_the_answers_to_the_signed_in_are_kept_by_nobody(app, lab, ada, browser_as, client_as):
    named = one_of_each(lab, ada)
    for route in declared(app):
        if route.method == "GET" and route.name not in approved.PUBLIC:
            sender = client_as(ada) if route.edge.kind == "api" else browser_as(ada)
            answer = sender.send("GET", route.path(named))
            assert answer.headers["Cache-Control"] == "no-store", route.name


@pytest.mark.any_database
def test_installations_that_are_told_of_https_insist_on_it(site, installation, ada):
    from webmacs.factory import create_app

    app = create_app(site.settings(installation.url, secure_cookies=True))
    answer = Api(app).get("/login")
    assert "Strict-Transport-Security" in answer.headers
    assert all(cookie.startswith("__Host-") and "Secure" in cookie for cookie in _cookies(answer))
