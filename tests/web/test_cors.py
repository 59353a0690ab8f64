"""Pages of other sites: the listed ones may use the API, by name, and nobody else."""

import pytest

from tests.make import Api
from tests.page import Browser
from webmacs.settings import Settings, SettingsError
from webmacs.web.sockets import comes_from_elsewhere

pytestmark = pytest.mark.any_database

FRIEND, STRANGER = "https://app.lab.example", "https://evil.example"


@pytest.fixture
def app(application):
    """An application that lists one other site."""
    return application(cors_origins=(FRIEND,))


def preflight(client, path, origin=FRIEND, method="DELETE", headers="authorization,x-anything"):
    sent = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return client.send("OPTIONS", path, headers=sent)


def test_a_preflight_of_a_listed_site_allows_every_method_and_header(app):
    for path in ("/api/v1/events/evt_1", "/api/v1/nowhere", "/health", "/openapi.json"):
        answer = preflight(Api(app), path)
        assert answer.status_code == 204
        assert answer.headers["Access-Control-Allow-Origin"] == FRIEND
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert {"GET", "POST", "PUT", "DELETE"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
        assert answer.headers["Access-Control-Allow-Headers"] == "authorization,x-anything"
        assert {"Origin", "Access-Control-Request-Headers"} <= set(answer.vary)


@pytest.mark.parametrize(
    "origin",
    [STRANGER, "null", "http://app.lab.example", f"{FRIEND}:8443", f"{FRIEND}.evil.example", f"{FRIEND}/", "*", ""],
)
def test_a_preflight_of_any_other_site_is_refused(app, application, origin):
    for asked in (app, application()):
        answer = preflight(Api(asked), "/api/v1/events", origin)
        assert answer.status_code == 400
        assert isinstance(answer.json["detail"], str)
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_pages_are_for_their_own_readers(app, ada):
    assert preflight(Api(app), "/profile").status_code == 400
    answer = Browser(app, ada.session).send("GET", "/profile", headers={"Origin": FRIEND})
    assert answer.status_code == 200
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_every_answer_of_the_api_can_be_read_by_a_listed_site_and_no_other(app, application, ada):
    limited = application(cors_origins=(FRIEND,), rate_limit_per_minute=1)
    Api(limited, ada.bearer).get("/api/v1/auth/me")
    answers = {
        200: Api(app, ada.bearer).get("/api/v1/auth/me", headers={"Origin": FRIEND}),
        401: Api(app).get("/api/v1/auth/me", headers={"Origin": FRIEND}),
        404: Api(app).get("/api/v1/nowhere", headers={"Origin": FRIEND}),
        405: Api(app).put("/api/v1/auth/me", headers={"Origin": FRIEND}),
        413: Api(app).send("POST", "/api/v1/events", data=b" " * 3_000_000, headers={"Origin": FRIEND}),
        422: Api(app).send("POST", "/api/v1/auth/login", data=b"{", headers={"Origin": FRIEND}),
        429: Api(limited, ada.bearer).get("/api/v1/auth/me", headers={"Origin": FRIEND}),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == FRIEND, status
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert "X-RateLimit-Remaining" in answer.headers["Access-Control-Expose-Headers"]
        assert "Origin" in answer.vary
    for origin in (STRANGER, None):
        headers = {"Origin": origin} if origin else {}
        answer = Api(app, ada.bearer).get("/api/v1/auth/me", headers=headers)
        assert not any(name.startswith("Access-Control") for name in dict(answer.headers))
        assert "Origin" in answer.vary  # a cache must not give the one's answer to the other


def test_nothing_is_said_where_no_site_is_listed(application, ada):
    answer = Api(application(), ada.bearer).get("/api/v1/auth/me", headers={"Origin": FRIEND})
    assert not any(name.startswith("Access-Control") for name in dict(answer.headers))
    assert "Origin" not in answer.vary


def test_a_listed_site_writes_with_a_cookie_only_if_it_has_the_csrf_token(app, ada):
    browser = Browser(app, ada.session)
    sent = {"json": {"name": "Script"}, "headers": {"Origin": FRIEND}}
    assert browser.send("POST", "/api/v1/tokens", **sent).status_code == 400
    assert browser.send("POST", "/api/v1/tokens", csrf=True, **sent).status_code == 201


def test_a_socket_is_opened_by_this_site_the_listed_ones_and_programs():
    def scope(origin=None):
        given = [(b"host", b"lab.example")] + ([(b"origin", origin.encode())] if origin else [])
        return {"headers": given}

    for origin in ("https://lab.example", FRIEND, None):
        assert not comes_from_elsewhere(scope(origin), {FRIEND})
    for origin in (STRANGER, "null", "https://lab.example.evil.example", "https://lab.example:8443", FRIEND + "x"):
        assert comes_from_elsewhere(scope(origin), {FRIEND})


@pytest.mark.parametrize(
    "given",
    ['["https://app.lab.example", "http://localhost:3000"]', "https://APP.lab.example:443/ , http://localhost:3000"],
)
def test_the_list_is_a_json_array_or_separated_by_commas(given):
    assert Settings.from_environment({"CORS_ORIGINS": given}).cors_origins == (FRIEND, "http://localhost:3000")


@pytest.mark.parametrize("given", ["*", '["*"]', "app.lab.example", "https://a.example/path", "[1", "ftp://a", "[5]"])
def test_what_is_no_origin_stops_the_start(given):
    with pytest.raises(SettingsError, match=r"^CORS_ORIGINS: "):
        Settings.from_environment({"CORS_ORIGINS": given})
