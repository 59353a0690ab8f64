"""The doors and one's own account, as a browser without JavaScript uses them."""

from datetime import timedelta

import pytest
import time_machine

from tests.make import PASSWORD
from webmacs.core import clock
from webmacs.features.accounts import operations

CLAIM = {"email": "first@lab.example", "username": "first", "password": "long enough"}


def _sign_in(browser, email, password=PASSWORD, path="/login"):
    return browser.visit(path).form("/login").submit(email=email, password=password)


def _session(browser):
    return browser.client.get_cookie("webmacs").value


def test_signing_in_leads_to_the_overview(ada, browser_as):
    browser = browser_as(None)
    answer = _sign_in(browser, ada.email)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "ada" in browser.visit("/").text


def test_signing_in_leads_back_to_where_one_wanted_to_go(ada, browser_as):
    browser = browser_as(None)
    sent = browser.send("GET", "/data?page=2")
    assert sent.headers["Location"] == "/login?next=/data?page%3D2"
    answer = _sign_in(browser, ada.email, path=sent.headers["Location"])
    assert answer.headers["Location"] == "/data?page=2"


def test_a_wrong_password_is_said_without_saying_which_part_was_wrong(ada, browser_as):
    browser = browser_as(None)
    texts = []
    for email in (ada.email, "nobody@lab.example"):
        answer = _sign_in(browser, email, "wrong password")
        page = browser.check(answer, "/login", 401)
        assert "Invalid email or password." in page.text
        assert page.form("/login").values["email"] == email
        assert page.form("/login").values["password"] == ""
        texts.append(page.text)
    assert texts[0] == texts[1]
    assert browser.send("GET", "/").status_code == 303


def test_an_empty_login_form_is_refused_on_the_fields(ada, browser_as):
    browser = browser_as(None)
    page = browser.check(_sign_in(browser, "", ""), "/login", 422)
    assert page.text.count("Please fill in this field.") == 2


def test_signing_in_makes_a_new_session(ada, browser_as):
    """So that nobody can give somebody a session whose secret they know."""
    browser = browser_as(None)
    browser.visit("/login")
    before = _session(browser)
    csrf = browser.visit("/login").form("/login").values["csrf_token"]
    _sign_in(browser, ada.email)
    assert _session(browser) != before
    old = browser.send("POST", "/logs/read-all", data={"csrf_token": csrf})
    assert old.status_code == 400


def test_signing_out_ends_the_session_for_good(ada, browser_as):
    browser = browser_as(None)
    _sign_in(browser, ada.email)
    kept = _session(browser)
    answer = browser.visit("/").form("/logout").submit()
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert browser.send("GET", "/").status_code == 303
    browser.client.set_cookie("webmacs", kept)
    assert browser.send("GET", "/").status_code == 303


def test_a_session_ends_after_its_lifetime(ada, browser_as):
    browser = browser_as(None)
    _sign_in(browser, ada.email)
    with time_machine.travel(clock.now() + timedelta(minutes=1441)):
        assert browser.send("GET", "/").headers["Location"] == "/login?next=/"


def test_a_jwt_is_no_session_and_a_session_no_jwt(ada, browser_as, client_as):
    with_jwt = browser_as(None)
    with_jwt.client.set_cookie("webmacs", ada.bearer)
    assert with_jwt.send("GET", "/").status_code == 303
    with_session = client_as(None)
    with_session.bearer = ada.session
    assert with_session.get("/api/v1/auth/me").status_code == 401


def test_a_cookie_that_was_tampered_with_opens_nothing(ada, browser_as):
    browser = browser_as(ada)
    browser.client.set_cookie("webmacs", _session(browser)[:-3] + "xyz")
    assert browser.send("GET", "/").status_code == 303


# --- the first administrator ------------------------------------------------------------------------------------------


@pytest.fixture
def code(lab):
    """The one-time code of an installation that nobody owns yet."""
    with lab.arrival():
        return operations.offer_claim()


def test_the_claim_makes_the_first_administrator_and_signs_them_in(code, browser_as):
    browser = browser_as(None)
    answer = browser.visit("/claim").form("/claim").submit(code=code, **CLAIM)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert browser.send("GET", "/api/v1/auth/me").json["role"] == "admin"
    assert browser_as(None).send("GET", "/claim").headers["Location"] == "/login"


@pytest.mark.parametrize("typed", [str.lower, lambda code: f"  {code} "])
def test_the_code_may_be_typed_as_people_type(code, browser_as, typed):
    assert browser_as(None).visit("/claim").form("/claim").submit(code=typed(code), **CLAIM).status_code == 303


@pytest.mark.parametrize("wrong", ["AAAA-BBBB-CCCC-DDDD", "x", "' OR 1=1 --"])
def test_a_wrong_code_makes_nobody(code, browser_as, wrong):
    browser = browser_as(None)
    answer = browser.visit("/claim").form("/claim").submit(code=wrong, **CLAIM)
    page = browser.check(answer, "/claim", 422)
    assert "This code is not valid" in page.text
    assert page.form("/claim").values["email"] == CLAIM["email"]
    assert browser.send("GET", "/login").headers["Location"] == "/claim"


def test_a_code_works_once(lab, code, browser_as):
    form = browser_as(None).visit("/claim").form("/claim")
    assert form.submit(code=code, **CLAIM).status_code == 303
    again = browser_as(None)
    token = again.visit("/login").form("/login").values["csrf_token"]
    second = {"email": "second@lab.example", "username": "second", "password": "long enough"}
    assert again.send("POST", "/claim", data={"csrf_token": token, "code": code, **second}).status_code in (303, 422)
    assert _sign_in(again, "second@lab.example", "long enough").status_code == 401


def test_a_new_code_ends_the_earlier_one(lab, code, browser_as):
    with lab.arrival():
        newer = operations.offer_claim()
    assert browser_as(None).visit("/claim").form("/claim").submit(code=code, **CLAIM).status_code == 422
    assert browser_as(None).visit("/claim").form("/claim").submit(code=newer, **CLAIM).status_code == 303


def test_a_claim_that_does_not_fit_keeps_its_code(code, browser_as):
    form = browser_as(None).visit("/claim").form("/claim")
    assert form.submit(code=code, **{**CLAIM, "password": "short"}).status_code == 422
    assert form.submit(code=code, **CLAIM).status_code == 303


# --- one's own account ------------------------------------------------------------------------------------------------


def test_one_may_change_ones_own_name(vera, browser_as, client_as):
    form = browser_as(vera).visit("/profile").form("/profile/name")
    assert form.submit(username="viola").headers["Location"] == "/profile"
    assert client_as(vera).get("/api/v1/auth/me").json["username"] == "viola"


@pytest.mark.parametrize("name", ["", "v", "x" * 51, "ada", "ADA"])
def test_a_name_that_is_none_or_taken_is_refused_on_the_page(ada, vera, browser_as, client_as, name):
    browser = browser_as(vera)
    browser.check(browser.visit("/profile").form("/profile/name").submit(username=name), "/profile/name", 422)
    assert client_as(vera).get("/api/v1/auth/me").json["username"] == "vera"


def test_one_may_change_ones_own_password_and_the_other_logins_end(vera, browser_as, client_as):
    browser = browser_as(vera)
    form = browser.visit("/profile").form("/profile/password")
    assert form.submit(current_password=PASSWORD, password="another one").headers["Location"] == "/profile"
    browser.visit("/profile")
    assert client_as(vera).get("/api/v1/auth/me").json == {"detail": "Token has been revoked."}
    assert _sign_in(browser_as(None), vera.email).status_code == 401
    assert _sign_in(browser_as(None), vera.email, "another one").status_code == 303


@pytest.mark.parametrize(
    ("present", "new", "words"),
    [
        ("wrong", "another one", "This is not your present password."),
        (PASSWORD, "short", "at least 8"),
        ("", "another one", "Please fill in this field."),
    ],
)
def test_a_password_that_cannot_be_changed_stays(vera, browser_as, present, new, words):
    browser = browser_as(vera)
    form = browser.visit("/profile").form("/profile/password")
    page = browser.check(form.submit(current_password=present, password=new), "/profile/password", 422)
    assert words in page.text
    assert _sign_in(browser_as(None), vera.email).status_code == 303


def test_one_sees_ones_logins_and_may_end_them(vera, browser_as, client_as):
    browser, other = browser_as(vera), browser_as(None)
    _sign_in(other, vera.email)
    ends = [form for form in browser.visit("/profile").forms() if form.action.endswith("/end")]
    assert len(ends) >= 2
    for form in ends:
        if vera.session not in form.action:
            assert form.submit().headers["Location"] == "/profile"
    assert other.send("GET", "/").status_code == 303
    assert client_as(vera).get("/api/v1/auth/me").status_code == 401
    browser.visit("/profile")


def test_one_may_end_all_other_logins_at_once(vera, browser_as, client_as):
    browser, other = browser_as(vera), browser_as(None)
    _sign_in(other, vera.email)
    assert browser.visit("/profile").form("/profile/sessions/end-others").submit().status_code == 303
    assert other.send("GET", "/").status_code == 303
    browser.visit("/profile")


def test_nobody_ends_the_login_of_another(ada, vera, browser_as):
    assert browser_as(ada).post(f"/profile/sessions/{vera.session}/end").status_code == 404
    browser_as(vera).visit("/profile")


def test_a_new_token_is_shown_once_on_the_page(vera, browser_as, app, client_as):
    browser = browser_as(vera)
    answer = (
        browser.visit("/profile/tokens").form("/profile/tokens").submit(name="Script", expires_at="2099-01-01T00:00")
    )
    page = browser.check(answer, "/profile/tokens")
    secret = next(
        word for word in page.html.replace('"', " ").replace("<", " ").replace(">", " ").split() if word[:3] == "wm_"
    )
    assert client_as(None).get("/api/v1/auth/me", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    assert secret not in browser.visit("/profile/tokens").html
    listed = client_as(vera).get("/api/v1/tokens").json["data"][0]
    assert (listed["name"], listed["expires_at"]) == ("Script", "2099-01-01T00:00:00Z")


@pytest.mark.parametrize("fields", [{"name": ""}, {"name": "x", "expires_at": "2001-01-01T00:00"}])
def test_a_token_that_does_not_fit_is_refused_on_the_page(vera, browser_as, client_as, fields):
    browser = browser_as(vera)
    answer = browser.visit("/profile/tokens").form("/profile/tokens").submit(**fields)
    browser.check(answer, "/profile/tokens", 422)
    assert client_as(vera).get("/api/v1/tokens").json["total"] == 0


def test_ones_own_token_can_be_deleted_on_the_page(lab, vera, browser_as, client_as):
    row, _ = lab.token(vera)
    form = browser_as(vera).visit("/profile/tokens").form(f"/profile/tokens/{row.public_id}/delete")
    assert form.submit().headers["Location"] == "/profile/tokens"
    assert client_as(vera).get("/api/v1/tokens").json["total"] == 0


def test_the_profile_shows_only_ones_own_tokens(lab, ada, vera, browser_as):
    lab.token(vera, "Veras script")
    assert "Veras script" not in browser_as(ada).visit("/profile/tokens").text


def test_a_moment_that_is_none_is_refused_and_not_forgotten(vera, browser_as, client_as):
    browser = browser_as(vera)
    answer = browser.visit("/profile/tokens").form("/profile/tokens").submit(name="Script", expires_at="next year")
    browser.check(answer, "/profile/tokens", 422)
    assert client_as(vera).get("/api/v1/tokens").json["total"] == 0
