"""Signing in, claiming and changing one's password: guesses are slow, also against accounts that do not exist."""

import pytest

from tests.make import Api
from tests.page import Browser

LOGIN = "/api/v1/auth/login"


def guess(client, email, times=1, *, password="not this one"):  # noqa: S107 - it is wrong
    return [client.post(LOGIN, {"email": email, "password": password}) for _ in range(times)]


def test_guessing_a_password_is_slow_whether_the_account_exists_or_not(ada, client_as):
    for email in (ada.email, "nobody@lab.example"):
        answers = guess(client_as(None), email, 6)
        assert [answer.status_code for answer in answers] == [401] * 5 + [429]
        assert answers[-1].headers["Retry-After"] == "1"
        assert answers[-1].json == {"detail": "Too many failed attempts. Try again in 1 s."}


def test_the_right_password_has_to_wait_too(ada, client_as):
    guess(client_as(None), ada.email, 5)
    assert guess(client_as(None), ada.email, password="correct horse battery")[0].status_code == 429


def test_an_owner_who_was_here_before_is_not_locked_out(app, ada, client_as):
    home = {"REMOTE_ADDR": "198.51.100.7"}
    right = {"email": ada.email, "password": "correct horse battery"}
    assert Api(app).post(LOGIN, right, environ_base=home).status_code == 200
    guess(client_as(None), ada.email, 10)
    assert Api(app).post(LOGIN, right, environ_base=home).status_code == 200


def test_the_form_says_how_long_to_wait(app, ada):
    browser = Browser(app)
    form = browser.visit("/login").form("/login")
    for _ in range(5):
        assert form.submit(email=ada.email, password="not this one").status_code == 401
    answer = form.submit(email=ada.email, password="not this one")
    page = browser.check(answer, "/login", 429)
    assert "Too many failed attempts. Try again in" in page.text
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_browser_that_signed_in_is_known_afterwards(app, ada, client_as):
    browser = Browser(app)
    form = browser.visit("/login").form("/login")
    assert form.submit(email=ada.email, password="correct horse battery").status_code == 303
    kept = browser.client.get_cookie("webmacs-device")
    other = Browser(app)
    other.client.set_cookie("webmacs-device", kept.value)
    elsewhere = {"REMOTE_ADDR": "203.0.113.66"}
    for _ in range(10):
        Api(app).post(LOGIN, {"email": ada.email, "password": "x"}, environ_base=elsewhere)
    fields = {"email": ada.email, "password": "correct horse battery"}
    page = other.check(other.send("GET", "/login", environ_base=elsewhere), "/login")
    sent = page.form("/login").values | fields
    assert other.send("POST", "/login", data=sent, environ_base=elsewhere).status_code == 303
    assert Api(app).post(LOGIN, fields, environ_base=elsewhere).status_code == 429


def test_a_browser_that_was_left_open_is_no_place_to_guess(ada, browser_as):
    browser = browser_as(ada)
    wish = {"current_password": "a guess", "password": "a new and long password", "repeated": "a new and long password"}
    statuses = [browser.post("/profile/password", wish).status_code for _ in range(7)]
    assert statuses == [422] * 5 + [429] * 2


def test_guessing_the_claim_code_is_limited_by_the_address_alone(app):
    browser = Browser(app)
    form = browser.visit("/claim").form("/claim")
    wish = {"code": "AAAA-AAAA-AAAA-AAAA", "email": "a@lab.example", "username": "ada", "password": "a long password"}
    assert [form.submit(**wish).status_code for _ in range(32)] == [422] * 30 + [429] * 2


# --- the limit of an API token ----------------------------------------------------------------------------------------


def test_a_token_can_be_made_with_a_limit_of_its_own(ada, client_as, browser_as):
    made = client_as(ada).post("/api/v1/tokens", {"name": "Slow", "requests_per_minute": 3})
    assert made.status_code == 201
    listed = client_as(ada).get("/api/v1/tokens").json["data"][0]
    assert listed["requests_per_minute"] == 3
    client = client_as(None)
    client.bearer = made.json["token"]
    answers = [client.get("/api/v1/auth/me") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["X-RateLimit-Limit"] == "3"
    assert "3 requests a minute" in browser_as(ada).visit("/profile/tokens").text


def test_the_form_of_a_token_takes_the_limit(ada, browser_as, client_as):
    form = browser_as(ada).visit("/profile/tokens").form("/profile/tokens")
    assert form.submit(name="Slow", requests_per_minute="7").status_code == 200
    assert client_as(ada).get("/api/v1/tokens").json["data"][0]["requests_per_minute"] == 7
    for odd in ("0", "-1", "many", "1.5"):
        assert form.submit(name="Odd", requests_per_minute=odd).status_code == 422


@pytest.mark.parametrize(("wish", "status"), [(None, 422), (11, 422), (10, 201), (1, 201)])
def test_a_limited_token_makes_none_that_may_send_more(ada, client_as, wish, status):
    client = client_as(None)
    client.bearer = client_as(ada).post("/api/v1/tokens", {"name": "A", "requests_per_minute": 10}).json["token"]
    body = {"name": "B"} if wish is None else {"name": "B", "requests_per_minute": wish}
    assert client.post("/api/v1/tokens", body).status_code == status
